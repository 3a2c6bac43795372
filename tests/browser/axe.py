"""axe-core over the parts of a page that are ours."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

#: Made by JupyterLab, also in panels of ours.
_JUPYTERLAB = (".jp-ToolbarButtonComponent",)
_GRAVE = ("serious", "critical")


def grave(page: Page, *selectors: str) -> list[str]:
    """What axe-core finds serious or critical in these parts, in words; they must be there."""
    for selector in selectors:
        assert page.locator(selector).count(), f"nothing to look at: {selector}"
    context = {
        "include": [[selector] for selector in selectors],
        "exclude": [[selector] for selector in _JUPYTERLAB],
    }
    found = Axe().run(page, context=context)
    return [
        f"{violation['impact']} {violation['id']}: {violation['help']}: "
        + "; ".join(f"{node['target']} {node['failureSummary']}" for node in violation["nodes"])
        for violation in found.response["violations"]
        if violation["impact"] in _GRAVE
    ]
