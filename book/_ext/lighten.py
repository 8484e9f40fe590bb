"""Make the built pages light enough for a phone on a slow line: the last step of a build, over the files it wrote.

- Pictures that are part of a page become files of their own; all but the first of an article are fetched when the
  reader comes near, and each says how large it is, so that the text does not jump.
- Scripts in the head wait until the text is there. The state of widgets, which only a live kernel reads, goes.
- Light or dark is decided before anything is drawn; the theme's script would draw the page again.
- Of Font Awesome, fonts and rules of the icons remain that some page shows.
"""

import base64
import hashlib
import io
import re
from pathlib import Path

import imagesize
from fontTools import subset

STATE = re.compile(r'\s*<script type="application/vnd\.jupyter\.widget-state\+json">.*?</script>', re.DOTALL)
SCRIPT = re.compile(r"<script(?![^>]*\b(?:async|defer|type)\b)(?=[^>]*\bsrc=)")
PAGE_NAME = re.compile(r"<script>(?=DOCUMENTATION_OPTIONS\.pagename)")
THEME_CHOICE = re.compile(r'(?<=dataset\.theme = )localStorage\.getItem\("theme"\) \|\| "auto";')
SYSTEM = 'localStorage.getItem("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");'
ARTICLE = re.compile(r"<article\b.*</article>", re.DOTALL)
PICTURE = re.compile(r"<img\b[^>]*>")
EMBEDDED = re.compile(r'src="data:image/(png|jpeg|webp);base64,([^"]*)"')
THEME = re.compile(r"_static/styles/(?:pydata-sphinx-theme\.css\?[^\"]*|theme-[0-9a-f]{12}\.css)")
ICON = re.compile(r"\bfa-([a-z0-9-]+)")
ICON_RULE = re.compile(r'((?:\.fa-[a-z0-9-]+:before,?)+)\{content:"\\([0-9a-f]+)"\}')
CODE = re.compile(r"\\([ef][0-9a-f]{3})\b|([\ue000-\uf8ff])")  # written as a number or as it is
FONT = re.compile(
    r"(?<=url\(\.\./vendor/fontawesome/webfonts/)"
    r'([\w-]+)\.woff2\) format\("woff2"\),url\([^)]*\) format\("truetype"\)'
)


def lighten(site: Path):
    """Go over a built site; what is light already stays as it is."""
    pages = sorted(page for page in site.rglob("*.html") if "_static" not in page.parts)
    texts = {page: page.read_text(encoding="utf-8") for page in pages}
    styles = write_styles(site, texts.values())
    for page, text in texts.items():
        head, end, body = text.partition("</head>")
        head = PAGE_NAME.sub('<script type="module">', SCRIPT.sub("<script defer", STATE.sub("", head)))
        head = THEME_CHOICE.sub(SYSTEM, THEME.sub(styles, head))
        article = ARTICLE.search(body)
        if article:
            body = body[: article.start()] + lighten_pictures(article[0], page, site) + body[article.end() :]
        if head + end + body != text:
            page.write_text(head + end + body, encoding="utf-8")


def lighten_pictures(article: str, page: Path, site: Path) -> str:
    count = 0

    def rewrite(match):
        nonlocal count
        count += 1
        tag = EMBEDDED.sub(lambda data: f'src="{save_picture(data, page, site)}"', match[0])
        source = re.search(r'\bsrc="([^"]*)"', tag)
        file = page.parent / source[1].split("?")[0] if source else page
        extra = ""
        if not re.search(r"\b(width|height)\b", tag) and file.is_file():
            width, height = imagesize.get(file)
            extra += f' width="{width}" height="{height}"' if width > 0 else ""
        if count > 1 and "loading=" not in tag:
            extra += ' loading="lazy"'
        return f"<img{extra}{tag[4:]}"

    return PICTURE.sub(rewrite, article)


def save_picture(data, page: Path, site: Path) -> str:
    """Write a picture into the folder of pictures, named by its content, and give its address as seen from the page."""
    content = base64.b64decode(data[2])
    name = f"_images/{hashlib.sha256(content).hexdigest()[:32]}.{data[1]}"
    (site / "_images").mkdir(exist_ok=True)
    (site / name).write_bytes(content)
    return "../" * (len(page.relative_to(site).parts) - 1) + name


def write_styles(site: Path, pages) -> str:
    """Write the theme's style sheet with the icons that are shown, and their fonts; give its address in the site."""
    folder = site / "_static" / "styles"
    style = (folder / "pydata-sphinx-theme.css").read_text(encoding="utf-8")
    scripts = [path.read_text(encoding="utf-8") for path in site.glob("_static/scripts/*-theme.js")]
    shown = {name for text in [*pages, *scripts] for name in ICON.findall(text)}
    codes = {int(code, 16) for names, code in ICON_RULE.findall(style) if shown & set(ICON.findall(names))}
    # Other rules show icons, too, such as those of the boxes for notes.
    sheets = [path for path in site.glob("_static/**/*.css") if not path.name.startswith(("pydata-", "theme-"))]
    rules = [ICON_RULE.sub("", style), *(path.read_text(encoding="utf-8") for path in sheets)]
    codes |= {int(number, 16) if number else ord(sign) for text in rules for number, sign in CODE.findall(text)}
    style = ICON_RULE.sub(lambda rule: rule[0] if shown & set(ICON.findall(rule[1])) else "", style)
    fonts = site / "_static" / "vendor" / "fontawesome" / "webfonts"
    style = FONT.sub(lambda font: f'{cut_font(fonts, font[1], codes)}) format("woff")', style)
    name = f"theme-{hashlib.sha256(style.encode()).hexdigest()[:12]}.css"
    (folder / name).write_text(style, encoding="utf-8")
    return f"_static/styles/{name}"


def cut_font(folder: Path, name: str, codes) -> str:
    """Write a font with these characters only; give its file's name, which says what is in it."""
    options = subset.Options(recalc_timestamp=False)
    buffer = io.BytesIO()
    with subset.load_font(folder / f"{name}.ttf", options) as font:
        cutter = subset.Subsetter(options)
        cutter.populate(unicodes=codes)
        cutter.subset(font)
        font.flavor = "woff"  # woff2 would need one more library, for two kilobytes
        font.save(buffer)
    file = f"{name}-{hashlib.sha256(buffer.getvalue()).hexdigest()[:12]}.woff"
    (folder / file).write_bytes(buffer.getvalue())
    return file


def setup(app):
    app.connect("build-finished", lambda app, exception: exception or lighten(Path(app.outdir)), priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
