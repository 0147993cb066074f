"""The command `template`: an empty table for a colleague."""

from __future__ import annotations

import click


@click.command()
@click.argument("path", default="phones.xlsx", required=False)
def template(path: str) -> None:
    """Write an empty table of orders for a colleague to fill in: headers, an example, cells that are checked.

    PATH is the XLSX file to write, phones.xlsx unless given; one that exists is never replaced.
    """
    from itnio_nb.orders.export.template import write_template

    click.echo(f"{write_template(path)}: fill it in, then: itnio-nb run --orders {path}")
