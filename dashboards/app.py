"""The dashboards: the list of pages, and what stands instead of a page where there is nothing to read.

A new page is one file in ``app_pages/`` and one line in ``PAGES``, or in ``DATA`` if it is about the data themselves.
"""

# pandas comes first: Streamlit and Altair import it late, and two sessions that open a cold server at the same
# moment would find it half imported.
import pandas as pd  # noqa: F401, I001

import atexit
import gc

import streamlit as st

from dashboards.queries import release as read
from warehouse.release import NoRelease

PAGES = [
    st.Page("app_pages/overview.py", title="Overview", icon=":material/home:", default=True),
    st.Page("app_pages/trends.py", title="Trends", icon=":material/trending_up:"),
    st.Page("app_pages/labs.py", title="Labs", icon=":material/apartment:"),
    st.Page("app_pages/categories.py", title="Categories", icon=":material/sell:"),
    st.Page("app_pages/works.py", title="Works", icon=":material/search:"),
    st.Page("app_pages/work.py", title="Work", icon=":material/description:", visibility="hidden"),
    st.Page("app_pages/discussion.py", title="Discussion", icon=":material/forum:"),
    st.Page("app_pages/curriculum.py", title="Curriculum", icon=":material/headphones:"),
    st.Page("app_pages/item.py", title="Item", icon=":material/description:", visibility="hidden"),
]
DATA = [
    st.Page("app_pages/coverage.py", title="Sources", icon=":material/calendar_month:"),
    st.Page("app_pages/checks.py", title="Checks", icon=":material/check_circle:"),
    st.Page("app_pages/published_numbers.py", title="Published numbers", icon=":material/handshake:"),
    st.Page("app_pages/rejects.py", title="Rejects", icon=":material/rule:"),
    st.Page("app_pages/changes.py", title="Changes", icon=":material/history:"),
    st.Page("app_pages/dictionary.py", title="Dictionary", icon=":material/menu_book:"),
    st.Page("app_pages/lineage.py", title="Lineage", icon=":material/account_tree:"),
    st.Page("app_pages/sql.py", title="SQL", icon=":material/terminal:"),
]


@st.cache_resource(show_spinner=False)
def settled() -> None:
    """Spare the libraries, once loaded, from the search for garbage that Streamlit makes after each run of a page.

    It takes a tenth of a second over them, more than most pages take themselves.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # some libraries complain of what is still there at the end


# What takes longer than a moment says so, and so does a server that is gone. By the state that Streamlit itself writes
# on the page, so that no run of a page has to send or take away anything. And no half-empty screen above the title.
STYLE = """<style>
.stApp::after {
    position: fixed; right: 1.2rem; bottom: 1.2rem; z-index: 1000; max-width: calc(100vw - 2.4rem);
    box-sizing: border-box; padding: 0.5rem 0.9rem; border: 1px solid currentColor; border-radius: 0.4rem;
    background: inherit; color: inherit; font-size: 0.9rem; pointer-events: none;
}
@keyframes appears { from { opacity: 0; } }
.stApp[data-test-script-state="running"]::after {
    content: "Reading the release …"; animation: appears 0.2s 0.8s backwards;
}
.stApp[data-test-connection-state]:not([data-test-connection-state="CONNECTED"])::after {
    content: "The server does not answer. What is shown stays as it was; it is asked again and again. "
        "If it has ended: make dashboard";
    animation: appears 0.2s 2s backwards;
}
#vg-tooltip-element table tr td.key { max-width: none; } /* whole names */
[data-testid="stMainBlockContainer"] { padding-top: 4.5rem; }
/* Streamlit would name a file that does not exist here */
body:has(.stApp[data-test-connection-state]:not([data-test-connection-state="CONNECTED"])) [data-testid="stDialog"] {
    display: none;
}
</style>"""

# an emoji, because a named icon would be fetched from elsewhere
st.set_page_config(page_title="aisle", page_icon="📚", layout="wide")
st.html(STYLE)
page = st.navigation({"": PAGES, "Data": DATA}, position="top")
try:
    page.run()
    settled()  # only now is nearly all loaded
except NoRelease:
    st.title("Nothing is released yet")
    st.write("The pages show the newest release of the lake, and this lake has none. In the project’s folder, run")
    st.code("make run", language="bash")
    st.write("which takes in the bundled facts and publishes them in under a minute. Then reload this page.")
    st.text(f"The lake: {read.lake().root}")
except read.UnreadableRelease as error:
    st.title("The release cannot be read")
    st.error("The file of the newest release is missing, damaged or of another version.")
    st.code(str(error.path), language=None)
    st.write(
        "Restore it from a backup; a newer release, once published, takes its place too. Releases are made from the "
        "tables of the lake, which are not touched by this. The terminal in which the dashboards run tells the cause."
    )
