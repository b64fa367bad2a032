"""Links made before a URL parameter was renamed: they keep working."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

_FORMER_NAMES = {"events": "meanwhile", "kinds": "said"}


def read_former_parameter(name: str, parse: Callable[[list[str]], Any]) -> None:
    """Set a filter from the former name of its URL parameter; call before the filter is shown.

    Args:
        name: The present name.
        parse: Makes the value of the filter from those in the URL.
    """
    former = _FORMER_NAMES[name]
    if former not in st.query_params:
        return
    if name not in st.session_state:
        st.session_state[name] = parse(st.query_params.get_all(former))
    del st.query_params[former]
