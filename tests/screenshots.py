"""Pictures of all pages of the built book, at a desk and on a phone, in light and dark: for a look by eye."""

import browser
from tqdm import tqdm

FOLDER = browser.SITE.parent / "screenshots"


def main():
    if not browser.PAGES:
        raise SystemExit("The book is not built: run `make book` before.")
    FOLDER.mkdir(exist_ok=True)
    kinds = [(reader.split(",")[0], options, scheme) for reader, options in browser.READERS.items()
             for scheme in ("light", "dark")]  # fmt: skip
    with browser.serve() as address, browser.start_chromium() as chromium:
        for page in tqdm(browser.PAGES, unit="page"):
            for place, options, scheme in kinds:
                tab = chromium.new_page(**options | {"color_scheme": scheme})
                tab.goto(address + page, wait_until="networkidle")
                name = page.removesuffix(".html").replace("/", "-")
                tab.screenshot(path=FOLDER / f"{name}-{place}-{scheme}.png", full_page=True)
                tab.close()
    print(f"{len(browser.PAGES) * len(kinds)} pictures in {FOLDER.relative_to(browser.SITE.parents[1])}")


if __name__ == "__main__":
    main()
