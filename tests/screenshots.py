"""Pictures of all pages of the built book, at a desk and on a phone, in light and dark: for a look by eye."""

import browser
from tqdm import tqdm

FOLDER = browser.SITE.parent / "screenshots"


TRY = "book/try.html"


def picture_samples(address, chromium):
    """Picture the page that estimates with a drawn face and the astronaut found, at a desk and on a phone."""
    for reader, options in browser.READERS.items():
        tab = chromium.new_page(**options)
        tab.goto(address + TRY, wait_until="networkidle")
        for name in ("Drawn face 2", "An astronaut"):
            tab.get_by_role("button", name=name).click()
            tab.locator("#try > p.answer", has_text="Estimated age").wait_for()
            tab.locator("#try fieldset", has_text="stage 3").wait_for()
            file = f"try-{name.split()[1]}-{reader.split(',')[0]}.png"
            tab.screenshot(path=FOLDER / file, full_page=True)
        tab.close()


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
                tab.eval_on_selector_all("img[loading=lazy]", "images => images.forEach(i => i.loading = 'eager')")
                tab.wait_for_load_state("networkidle")
                name = page.removesuffix(".html").replace("/", "-")
                tab.screenshot(path=FOLDER / f"{name}-{place}-{scheme}.png", full_page=True)
                tab.close()
        if TRY in browser.PAGES:
            picture_samples(address, chromium)
    print(f"{len(browser.PAGES) * len(kinds)} pictures in {FOLDER.relative_to(browser.SITE.parents[1])}")


if __name__ == "__main__":
    main()
