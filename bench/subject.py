"""The event that every contender of the append suite writes: about 250 bytes as JSON."""

from domain.task import TaskCreated
from domain.workflow import Category

TITLE = "Write the report that the board wants to see before the end of the quarter, with all figures of the regions."
DESCRIPTION = "Ask the regions first, then compare with what they planned a year ago, and say why."
CREATED = TaskCreated(title=TITLE, description=DESCRIPTION, status="todo", category=Category.OPEN)
