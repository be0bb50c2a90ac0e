"""The web front: one page that shows the picture, which only this machine's public address may read from S3.

Runs on the instance under uvicorn with PICTURE_URL in its environment.
"""

from __future__ import annotations

import os
from urllib.error import URLError
from urllib.request import urlopen

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Web front</title>
<style>
body { margin: 0; min-height: 100vh; display: grid; place-content: center; gap: 1rem; text-align: center;
       background: #1c1a3a; color: #fff6dc; font-family: system-ui, sans-serif }
img { width: min(90vw, 60rem); border-radius: 1rem; box-shadow: 0 1rem 3rem #0008 }
</style>
</head>
<body>
<h1>The web front is open</h1>
<img src="picture.png" alt="Sunrise over mountains" width="960" height="540">
<p>You came in through the web security group; the picture came from S3.</p>
</body>
</html>
"""


def create_app(picture_url: str) -> FastAPI:
    """Build the page; `picture_url` is read anew for every visitor, so that a closed bucket shows."""
    app = FastAPI(title="Web front", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/", response_class=HTMLResponse)
    def page() -> str:
        return PAGE

    @app.get("/picture.png")
    def picture() -> Response:
        try:
            with urlopen(picture_url, timeout=5) as answer:  # noqa: S310 - the address is the operator's
                return Response(answer.read(), media_type="image/png")
        except URLError as error:
            return PlainTextResponse(f"S3 did not give the picture: {error}\n", status_code=502)

    @app.get("/health", response_class=PlainTextResponse)
    def health() -> str:
        return "ok\n"

    return app


app = create_app(os.environ.get("PICTURE_URL", "https://bucket.invalid/picture.png"))
