"""The pure core: events, state, workflows and policy. No I/O, no clock, no randomness, no asyncio."""
