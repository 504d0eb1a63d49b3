"""Reports: aggregates over the published view, and the rows behind each of their numbers."""

import csv
import io
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from fastapi import APIRouter, Request, Response

from services.api.answers import fresh_answer
from services.api.asking import described, reader_of
from services.api.guards import CUSTOMERS_READ
from services.api.links import next_link
from services.api.reports.answering import answer_drill, answer_report
from services.api.reports.catalogue import REPORTS
from services.api.reports.drilling import Drills
from services.api.reports.report import Report
from services.api.resources import resources_of
from shared.touchpoints import JsonObject

router = APIRouter(tags=["reports"], dependencies=[CUSTOMERS_READ])

_Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


def _path_of(report: Report) -> str:
    return f"/v1/reports/{report.name}"


def _report_endpoint(report: Report) -> _Endpoint:
    read = reader_of(report.parameters)

    async def answer(request: Request) -> Response:
        asked = await read(request)
        filters = [pair for pair in request.query_params.multi_items() if pair[0] != "format"]
        drills = Drills(_path_of(report), filters)
        found = await answer_report(resources_of(request), report, asked, drills)
        if asked.form == "csv":
            return _as_csv(report.name, found.content)
        return fresh_answer(request, found.content, found.freshness)

    return answer


def _drill_endpoint(report: Report) -> _Endpoint:
    read = reader_of(report.drill)

    async def answer(request: Request) -> Response:
        asked = await read(request)
        found, cursor = await answer_drill(resources_of(request), report, asked)
        if asked.form == "csv":
            return _as_csv(f"{report.name}-drill", found.content)
        headers = next_link(request, cursor)
        return fresh_answer(request, found.content, found.freshness, headers=headers)

    return answer


def _as_csv(name: str, content: JsonObject) -> Response:
    """Return the items of an answer as CSV, without members that are lists or objects."""
    items = content["items"]
    rows = [row for row in items if isinstance(row, dict)] if isinstance(items, list) else []
    columns = [key for key, value in rows[0].items() if _is_single(value)] if rows else []
    out = io.StringIO()
    if columns:
        writer = csv.DictWriter(out, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    headers = {"Content-Disposition": f'attachment; filename="journeyline-{name}.csv"'}
    return Response(out.getvalue(), headers=headers, media_type="text/csv")


def _is_single(value: object) -> bool:
    return isinstance(value, str | int | float | None)


def _add_routes() -> None:
    for report in REPORTS:
        path = _path_of(report)
        router.add_api_route(
            path,
            _report_endpoint(report),
            methods=["GET"],
            name=f"read_{report.name}",
            summary=report.summary,
            openapi_extra=described(report.parameters),
        )
        router.add_api_route(
            f"{path}/drill",
            _drill_endpoint(report),
            methods=["GET"],
            name=f"drill_{report.name}",
            summary=f"The rows behind a number of {path}.",
            openapi_extra=described(report.drill),
        )


_add_routes()
