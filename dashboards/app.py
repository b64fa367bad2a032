"""The dashboards: the list of pages, and what stands instead of a page where there is nothing to read.

A new page is one file in ``app_pages/`` and one line in ``PAGES``, or in ``DATA`` if it is about the data themselves.
"""

# pandas comes first: Streamlit and Altair import it late, and two sessions that open a cold server at the same
# moment would find it half imported.
import pandas as pd  # noqa: F401, I001

import atexit
import gc

import streamlit as st

from dashboards import read
from warehouse.release import NoRelease

PAGES = [
    st.Page("app_pages/overview.py", title="Overview", icon="🔭", default=True),
    st.Page("app_pages/trends.py", title="Trends", icon="📈"),
    st.Page("app_pages/labs.py", title="Labs", icon="🏢"),
    st.Page("app_pages/categories.py", title="Categories", icon="🏷️"),
    st.Page("app_pages/works.py", title="Works", icon="🔎"),
    st.Page("app_pages/work.py", title="Work", icon="📄", visibility="hidden"),
    st.Page("app_pages/discussion.py", title="Discussion", icon="💬"),
    st.Page("app_pages/curriculum.py", title="Curriculum", icon="🎧"),
    st.Page("app_pages/item.py", title="Item", icon="📄", visibility="hidden"),
]
DATA = [
    st.Page("app_pages/coverage.py", title="Sources", icon="🗓️"),
    st.Page("app_pages/checks.py", title="Checks", icon="✅"),
    st.Page("app_pages/published_numbers.py", title="Published numbers", icon="🤝"),
    st.Page("app_pages/rejects.py", title="Rejects", icon="🧹"),
    st.Page("app_pages/changes.py", title="Changes", icon="🕰️"),
    st.Page("app_pages/dictionary.py", title="Dictionary", icon="📖"),
    st.Page("app_pages/lineage.py", title="Lineage", icon="🧬"),
    st.Page("app_pages/sql.py", title="SQL", icon="⌨️"),
]


@st.cache_resource(show_spinner=False)
def settled() -> None:
    """Spare the libraries, once loaded, from the search for garbage that Streamlit makes after each run of a page.

    It takes a tenth of a second over them, more than most pages take themselves.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # some libraries complain of what is still there at the end


# an emoji, because a named icon would be fetched from elsewhere
st.set_page_config(page_title="aisle", page_icon="📚", layout="wide")
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
