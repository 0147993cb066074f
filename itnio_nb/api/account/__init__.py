"""An account of the API (`account`), where it is configured (`settings`), and its address (`address`)."""
