"""The digest: an e-mail on each day or week, with the customers whose risk became critical and what waits for staff."""
