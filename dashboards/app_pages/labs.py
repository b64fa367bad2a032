"""A lab: its history, its mix, its newest publications and what its counts rest on."""

from dashboards.app_pages import profile_page

profile_page.show("lab")
