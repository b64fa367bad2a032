"""A lab: its history, its mix, its newest publications and the basis of its counts."""

from dashboards.app_pages import profile_page

profile_page.show_profile("lab")
