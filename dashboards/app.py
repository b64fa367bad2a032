"""The dashboards: the list of pages, and the messages shown if there is no readable release.

A new page is one file in ``app_pages/`` and one line in ``PAGES``, or in ``DATA_PAGES`` if it is about the data.
"""

# pandas first: Streamlit and Altair import it lazily, and two sessions that start at the same time could see it half
# imported
import pandas as pd  # noqa: F401, I001

import atexit
import contextlib
import gc

import streamlit as st

from warehouse.release import NoRelease
from dashboards.exports.figure_files import PAGE_PATH_KEY
from dashboards.widgets.frame import EndOfPage, show_staleness, warn_unknown_parameters
from dashboards.queries.release import MissingData, UnreachableLake, UnreadableRelease, find_release, get_lake
from dashboards.queries.review import get_editor
from dashboards.widgets.parts import show_missing_data

# the page by which people decide is in the menu of `aisle dashboard --edit` only
REVIEW_VISIBILITY = "visible" if get_editor() else "hidden"
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
    st.Page("app_pages/review.py", title="Review", icon=":material/rate_review:", visibility=REVIEW_VISIBILITY),
]
DATA_PAGES = [
    st.Page("app_pages/coverage.py", title="Sources", icon=":material/calendar_month:"),
    st.Page("app_pages/checks.py", title="Checks", icon=":material/check_circle:"),
    st.Page("app_pages/published_numbers.py", title="Published numbers", icon=":material/handshake:"),
    st.Page("app_pages/models.py", title="Models", icon=":material/model_training:"),
    st.Page("app_pages/rejects.py", title="Rejects", icon=":material/rule:"),
    st.Page("app_pages/changes.py", title="Changes", icon=":material/history:"),
    st.Page("app_pages/dictionary.py", title="Dictionary", icon=":material/menu_book:"),
    st.Page("app_pages/lineage.py", title="Lineage", icon=":material/account_tree:"),
    st.Page("app_pages/sql.py", title="SQL", icon=":material/terminal:"),
]


@st.cache_resource(show_spinner=False)
def freeze_libraries() -> None:
    """Exclude the loaded libraries from garbage collection.

    Streamlit collects garbage after each run of a page, which takes 0.1 s over all libraries, more than most pages.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # some libraries warn of objects left at exit


# Messages for a slow page and a lost server, shown by the state attributes that Streamlit sets on the page, at no cost
# for a run of the page.
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
    content: "The server does not answer. Reconnecting … If it was stopped, restart it with: make dashboard";
    animation: appears 0.2s 2s backwards;
}
#vg-tooltip-element table tr td.key { max-width: none; } /* do not cut off names */
[data-testid="stMainBlockContainer"] { padding-top: 4.5rem; }
/* its connection error names a file that does not exist here */
body:has(.stApp[data-test-connection-state]:not([data-test-connection-state="CONNECTED"])) [data-testid="stDialog"] {
    display: none;
}
</style>"""

# Streamlit marks the current page only in the opened menu
MARK_DATA_MENU = """<style>
[data-testid="stTopNavSection"] { font-weight: 600; border-radius: 0.4rem; }
[data-testid="stTopNavSection"], [data-testid="stTopNavSection"]:hover {
    background: color-mix(in srgb, currentColor 12%, transparent);
}
[data-testid="stTopNavSection"] p { font-weight: 600; }
</style>"""

# an emoji, since a named icon would be loaded from another host
st.set_page_config(page_title="aisle", page_icon="📚", layout="wide")
st.html(STYLE)
page = st.navigation({"": PAGES, "Data": DATA_PAGES}, position="top")
if page in DATA_PAGES:
    st.html(MARK_DATA_MENU)
st.session_state[PAGE_PATH_KEY] = page.url_path
frame = st.container()  # always there, so that a message does not move what is below it
try:
    with frame:
        show_staleness()
    with contextlib.suppress(EndOfPage):
        page.run()
    with frame:
        warn_unknown_parameters(page.url_path)
    freeze_libraries()  # by now nearly all are loaded
except MissingData as error:
    show_missing_data(find_release()[0], error)
except NoRelease:
    st.title("No release yet")
    st.write("The pages show the newest release of the lake, and this lake has none. In the project folder, run")
    st.code("make run", language="bash")
    st.write("to import the bundled data and publish a release, in under a minute. Then reload this page.")
    st.text(f"Lake: {get_lake().address}")
except UnreachableLake as error:
    st.title("The lake cannot be reached")
    st.error(
        "It is not complete, or its object store does not answer or refuses to be read. "
        "The terminal of the dashboards shows the cause."
    )
    st.code(str(error), language=None)
except UnreadableRelease as error:
    st.title("The release cannot be read")
    st.error("A file of the release is missing, damaged or of another version.")
    st.code(str(error.path), language=None)
    st.write(
        "If it belongs to the newest release, `make run` notices the damage and publishes the release again. An older "
        "release comes back only from a backup. The tables of the lake are not affected. "
        "The terminal of the dashboards shows the cause."
    )
