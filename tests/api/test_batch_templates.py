"""What a batch does with templates, views, reminders and recurrence that only a batch can do."""

from api.templates import ONBOARDING
from tests.api.batching import command, sent
from tests.api.test_templates import SAID
from tests.house import House


async def test_what_was_made_of_a_template_is_gone_on_with_in_the_same_batch(house: House) -> None:
    ada = await house.user()
    daily = {"rule": "FREQ=DAILY", "zone": "UTC", "starts": "2030-01-07"}
    for atomic in (True, False):
        made = await sent(
            ada,
            command("kit", "template.create", **ONBOARDING),
            command("all", "template.instantiate", "$kit", **SAID),
            command("m", "task.edit", "$all", title="Welcome"),
            command("r", "reminder.add", "$all", relative_to="due_at", minutes_before=60),
            command("g", "reminder.remove", "$all", reminder_id="$r"),
            command("s", "recurrence.set", "$all", **daily),
            command("x", "recurrence.skip", "$all", occurrence="2030-01-08T00:00:00Z"),
            command("like", "template.make", "$all", name="Like that"),
            command("t", "team.create", name="Operations"),
            command("v", "view.create", name="ours", query="", sharing="team", team_id="$t"),
            atomic=atomic,
        )
        assert [verdict["outcome"] for verdict in made] == ["done"] * 10, [each.get("problem") for each in made]
        first = made[1]["created"]
        assert made[1]["location"] == f"/api/v1/tasks/{first}"
        assert made[1]["body"]["roots"][0]["id"] == first
        task = (await ada.get(f"/tasks/{first}")).json()
        assert (task["title"], task["due_on"], len(task["subtasks"])) == ("Welcome", "2030-01-07", 2)
        assert made[9]["body"]["team_id"] == made[8]["created"]
        assert len(made[7]["body"]["tasks"]) == 3


async def test_a_question_is_no_command(house: House) -> None:
    ada = await house.user()
    template = (await ada.post("/templates", ONBOARDING)).json()["id"]
    head = await house.head()
    asked = command("a", "template.instantiate", template, **SAID, dry_run=True)
    for more in ({}, {"atomic": True}, {"dry_run": True}):
        [verdict] = await sent(ada, asked, **more)
        assert (verdict["outcome"], verdict["status"]) == ("refused", 422)
        assert verdict["problem"]["errors"][0]["pointer"] == "/commands/0/data/dry_run"
    assert await house.head() == head
