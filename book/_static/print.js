// Paper is white: a dark page is printed in the light colours.
{
  const root = document.documentElement;
  const paper = matchMedia("print");
  let theme;
  paper.addEventListener("change", () => {
    if (paper.matches) theme = root.dataset.theme;
    root.dataset.theme = paper.matches ? "light" : theme;
  });
}
