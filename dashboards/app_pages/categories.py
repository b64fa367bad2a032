"""A category: what it means, its history, its labs, its newest publications and what its counts rest on."""

from dashboards.app_pages import profile_page

profile_page.show("category")
