"""How what a command wrote is taken back: a step for each event, over the states of now."""
