"""The page for people who read the API: Swagger UI, with a policy that lets it load and run what it names itself."""

import base64
import hashlib
import re
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import Response

from api.policies import Open, guarded

router = APIRouter(include_in_schema=False)

_PAGE: Final = get_swagger_ui_html(openapi_url="/openapi.json", title="Taskfold").body


def policy(page: str) -> str:
    """A Content-Security-Policy for a page: its own scripts, by their hashes, and the places that it loads from."""
    inline = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    ]
    scripts = [f"'sha256-{digest}'" for digest in inline] + _origins(r'<script[^>]+src="([^"]+)"', page)
    styles = _origins(r'<link[^>]+stylesheet[^>]+href="([^"]+)"', page)
    images = _origins(r'<link[^>]+icon"[^>]+href="([^"]+)"', page)
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(scripts)}",
            f"style-src 'unsafe-inline' {' '.join(styles)}",  # Swagger UI sets styles of elements
            f"img-src data: {' '.join(images)}",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def _origins(pattern: str, page: str) -> list[str]:
    places = [urlsplit(url) for url in re.findall(pattern, page)]
    return sorted({f"{place.scheme}://{place.netloc}" if place.netloc else "'self'" for place in places})


_HEADERS: Final = {
    "Content-Security-Policy": policy(bytes(_PAGE).decode()),
    "Cross-Origin-Opener-Policy": "same-origin",
}


@router.get("/docs")
@guarded(Open.PUBLIC)
async def docs() -> Response:
    """Swagger UI."""
    return Response(_PAGE, 200, _HEADERS, "text/html")
