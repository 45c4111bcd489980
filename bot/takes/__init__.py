"""Single takes: how a result is shown, its buttons, and takes made from it."""
