"""What a notebook shows of an object, as IPython asks for it."""

# The methods that IPython knows, by the media type of what they give.
METHODS = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "image/svg+xml": "_repr_svg_",
    "image/png": "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
    "text/latex": "_repr_latex_",
    "application/json": "_repr_json_",
}


def media_bundle(shown):
    """All that an object offers, as JSON; text in any case. A method that raises offers nothing."""
    import json

    bundle = mime_bundle(shown)
    for media_type, name in METHODS.items():
        if media_type not in bundle:
            bundle[media_type] = offered(shown, name)
    if is_figure(shown) and not bundle.get("image/png"):
        bundle["image/png"] = picture(shown)
    bundle["text/plain"] = text(shown)
    return json.dumps({key: plain(it) for key, it in bundle.items() if it is not None}, default=str)


def mime_bundle(shown):
    found = offered(shown, "_repr_mimebundle_", include=None, exclude=None)
    found = found[0] if isinstance(found, tuple) and found else found
    return dict(found) if isinstance(found, dict) else {}


def offered(shown, name, **options):
    """What a method of the object's type gives. `__getattr__` is not asked: some objects have an answer to any name."""
    method = getattr(type(shown), name, None)
    if not callable(method):
        return None
    try:
        found = method(shown, **options)
    except Exception:
        return None
    # Some give the data and how to show it.
    return found[0] if isinstance(found, tuple) and name != "_repr_mimebundle_" and found else found


def is_figure(shown):
    """Whether it is a figure of matplotlib's, which has its picture through IPython alone."""
    import sys

    figures = sys.modules.get("matplotlib.figure")
    return figures is not None and isinstance(shown, figures.Figure)


def picture(figure):
    from io import BytesIO

    try:
        file = BytesIO()
        figure.savefig(file, format="png", bbox_inches="tight")
        return file.getvalue()
    except Exception:
        return None


def text(shown):
    try:
        return repr(shown)
    except Exception as error:
        return f"<{type(shown).__name__}, whose repr() raises {type(error).__name__}>"


def plain(value):
    """Bytes as a notebook has them, in base64."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        from base64 import b64encode

        return b64encode(value).decode("ascii")
    return value
