"""Who may do what: rules for addresses, service tokens, logins and how long they last."""
