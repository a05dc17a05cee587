"""The outer ring: HTTP, WebSocket, command line, settings and wiring."""
