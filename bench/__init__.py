"""Speed, side by side in one run: `make bench`. How to read it stands in docs/performance.md."""
