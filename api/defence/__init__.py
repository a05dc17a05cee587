"""What keeps one client from taking the service from the others: addresses, throttles, rates, limits."""
