"""The plots of a report, as SVG elements that use the colours of the page."""
