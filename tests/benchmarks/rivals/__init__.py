"""What others do: the engines that ours is measured beside."""
