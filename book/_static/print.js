// Paper is white and cannot be clicked: a dark page is printed in the light colours, and what is folded, open.
{
  const root = document.documentElement;
  const paper = matchMedia("print");
  let theme;
  let folded = [];
  paper.addEventListener("change", () => {
    if (paper.matches) {
      theme = root.dataset.theme;
      folded = document.querySelectorAll("article details:not([open])");
    }
    root.dataset.theme = paper.matches ? "light" : theme;
    for (const box of folded) box.open = paper.matches;
  });
}
