"""What Prometheus asks for: the plain numbers of the program, named and described."""
