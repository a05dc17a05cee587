"""What a person who starts the program has to read."""


class StartError(RuntimeError):
    """Something cannot start. The message is for the person at the terminal: it names the thing and the reason."""
