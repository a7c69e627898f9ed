"""The pictures of the report, as SVG that stands inside the page and takes the page's colours."""
