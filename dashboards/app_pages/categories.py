"""A category: what it means, its history, its labs, its newest publications and the basis of its counts."""

from dashboards.app_pages import profile_page

profile_page.show_profile("category")
