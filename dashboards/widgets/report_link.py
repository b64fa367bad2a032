"""How a reader reports an error in a work: a prefilled mail, or a file to send for the people who keep the lake."""

from __future__ import annotations

import html
import os
import re
from urllib.parse import quote

import streamlit as st

from dashboards.text import shorten_title
from transforms.review.reports import write_report
from warehouse.release import Release

VARIABLE = "AISLE_REPORT_ADDRESS"
_MAIL_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


def show_report_link(release: Release, work_id: str, title: str | None) -> None:
    """Show how an error is reported, with what an editor needs to find the work."""
    text = write_report(work_id, title, release.name)
    address = os.environ.get(VARIABLE, "").strip()
    with st.expander("Report an error"):
        st.caption("Complete the last line with what is wrong, and send it to the people who keep these pages.")
        if _MAIL_ADDRESS.fullmatch(address):
            subject = quote(f"Error in {shorten_title(title)}")
            link = f"mailto:{address}?subject={subject}&body={quote(text)}"
            st.html(f'<a href="{html.escape(link)}" style="color: inherit; font-weight: 600">Report by mail</a>')
        st.download_button(
            "Report as a file",
            text,
            file_name=f"report_{work_id}.txt",
            mime="text/plain",
            key="report",
            on_click="ignore",
        )
