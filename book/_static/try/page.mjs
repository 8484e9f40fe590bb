// The page "Try it": a picture from the disk, the camera or the book, a box on it, and what the network makes of that.

import { start as startStages } from "../stages.mjs";
import { element, number, slider } from "../svg.mjs";
import { SIZE } from "./crop.mjs";
import { Estimator } from "./estimator.mjs";

const LARGEST = 1024; // pixels of a picture's longer side
const LEAST_BOX = 16;
const SAMPLES = { astronaut: "An astronaut", "drawn-1": "Drawn face 1", "drawn-2": "Drawn face 2", "drawn-3": "Drawn face 3" };

const place = document.querySelector("#try");
const estimator = Estimator.load();
const said = element("p", { role: "status", class: "answer" });
const canvas = element("canvas", { role: "img", "aria-label": "The picture" });
const handle = element("span");
const frame = element("div", { class: "box", "aria-hidden": "true" }, handle);
const view = element("div", { class: "view" }, canvas, frame);
const sliders = element("div", { class: "sliders" });
const crop = element("canvas", { width: SIZE, height: SIZE, role: "img", "aria-label": "What the network gets: the cut out face" });
const stages = element("div", { class: "ssr-figure ssr-stages ready" });
const seen = element(
  "div",
  { hidden: "" },
  view,
  element("fieldset", {}, element("legend", {}, "The box around the face"), sliders),
  element("div", { class: "input" }, crop),
  element("p", {}, "How the age adds up. Move a slider to see what it does:"),
  stages,
);
const video = element("video", { playsinline: "", "aria-label": "The camera's picture" });
const shoot = button("Take the picture", takePicture);
const stop = button("Stop the camera", stopCamera);
const camera = element("div", { hidden: "" }, video, element("p", {}, shoot, " ", stop));
let picture, box, upright, waiting;

function button(text, act) {
  const made = element("button", { type: "button" }, text);
  made.addEventListener("click", act);
  return made;
}

function tell(text) {
  said.textContent = text;
}

/** Run something that may fail; what went wrong is said on the page. */
async function attempt(act, trouble) {
  try {
    await act();
  } catch (error) {
    tell(`${trouble} ${error.message}`);
  }
}

/** Show a picture: anything a canvas can draw, of this size. */
async function show(source, width, height) {
  const scale = Math.min(1, LARGEST / Math.max(width, height));
  [canvas.width, canvas.height] = [width, height].map((side) => Math.max(1, Math.round(scale * side)));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff"; // behind a picture that is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  picture = context.getImageData(0, 0, canvas.width, canvas.height);
  const faces = (await estimator).find(picture);
  upright = faces.length > 0;
  box = upright ? faces[0] : middle(canvas);
  seen.hidden = false;
  buildSliders();
  await update(
    ["No face found. Move the box onto one.", "One face found.", `${faces.length} faces found; this is the largest.`][
      Math.min(faces.length, 2)
    ],
  );
}

function middle({ width, height }) {
  const half = Math.min(width, height) / 4;
  return { left: width / 2 - half, top: height / 2 - half, right: width / 2 + half, bottom: height / 2 + half };
}

/** Estimate anew and show all of it; a box that was moved by hand is taken as it is. */
async function update(found = "") {
  const ready = await estimator;
  const answer = ready.estimate(picture, box, upright);
  const { left, top, right, bottom } = box;
  const share = (value, whole) => `${(100 * value) / whole}%`;
  Object.assign(frame.style, {
    left: share(left, canvas.width),
    top: share(top, canvas.height),
    width: share(right - left, canvas.width),
    height: share(bottom - top, canvas.height),
  });
  crop.getContext("2d").putImageData(new ImageData(answer.pixels, SIZE, SIZE), 0, 0);
  const { level } = ready.settings.interval;
  const range =
    answer.low === null
      ? "Too few faces of such an age were known to say how far off that may be."
      : `${100 * level} % interval: ${number(answer.low, 0)} to ${number(answer.high, 0)} years.`;
  tell(`${found} Estimated age: ${number(answer.age)} years. ${range}`.trim());
  clearTimeout(waiting);
  waiting = setTimeout(() => showStages(answer.stages, ready.settings), found ? 0 : 150);
}

function showStages(heads, { value_range, division_floor }) {
  const live = element("div", { class: "live" });
  stages.replaceChildren(live);
  startStages(live, { stages: heads, value_range, division_floor });
}

function setBox(x, y, side) {
  const most = Math.min(canvas.width, canvas.height);
  const size = Math.min(Math.max(side, LEAST_BOX), most);
  const [left, top] = [Math.min(Math.max(x, 0), canvas.width - size), Math.min(Math.max(y, 0), canvas.height - size)];
  box = { left, top, right: left + size, bottom: top + size };
  upright = false;
  return update();
}

function buildSliders() {
  const write = (value) => `${Math.round(value)} px`;
  const make = (label, value, most, change) =>
    slider({ label, value: Math.round(value), least: 0, most: Math.round(most), step: 1, write, change });
  const side = () => box.right - box.left;
  sliders.replaceChildren(
    make("From left", box.left, canvas.width, (value) => setBox(value, box.top, side())),
    make("From top", box.top, canvas.height, (value) => setBox(box.left, value, side())),
    make("Side", side(), Math.min(canvas.width, canvas.height), (value) => setBox(box.left, box.top, value)),
  );
}

frame.addEventListener("pointerdown", (event) => {
  event.preventDefault();
  frame.setPointerCapture(event.pointerId);
  const scale = canvas.width / canvas.clientWidth;
  const { left, top, right } = box;
  const resizing = event.target === handle;
  const move = ({ clientX, clientY }) => {
    const [x, y] = [scale * (clientX - event.clientX), scale * (clientY - event.clientY)];
    if (resizing) setBox(left, top, right - left + Math.max(x, y));
    else setBox(left + x, top + y, right - left);
  };
  const end = () => {
    frame.removeEventListener("pointermove", move);
    buildSliders();
  };
  frame.addEventListener("pointermove", move);
  frame.addEventListener("lostpointercapture", end, { once: true });
});

async function showBitmap(blob) {
  const bitmap = await createImageBitmap(blob);
  await show(bitmap, bitmap.width, bitmap.height);
  bitmap.close();
}

async function startCamera() {
  await attempt(async () => {
    if (!navigator.mediaDevices) throw new Error("This browser gives none to this page.");
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
    camera.hidden = false;
    await video.play();
    tell("The camera is on. Nothing leaves this page.");
    shoot.focus();
  }, "There is no camera to use.");
}

function stopCamera() {
  video.srcObject?.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
  camera.hidden = true;
  tell("");
}

async function takePicture() {
  await attempt(() => show(video, video.videoWidth, video.videoHeight), "That did not work.");
  const { textContent } = said;
  stopCamera();
  tell(textContent);
}

async function showSample(name) {
  await attempt(async () => {
    const answer = await fetch(new URL(`${name}.webp`, import.meta.url));
    await showBitmap(await answer.blob());
  }, "This sample cannot be shown.");
}

const file = element("input", { type: "file", accept: "image/*" });
file.addEventListener("change", () => {
  const [chosen] = file.files;
  if (chosen) attempt(() => showBitmap(chosen), `'${chosen.name}' is not a picture that this browser can open.`);
});

place.replaceChildren(
  element("p", {}, element("label", { class: "file" }, "A picture of yours: ", file), " ", button("Use the camera", startCamera)),
  element("p", {}, "Or one of the book's: ", ...Object.entries(SAMPLES).flatMap(([name, text]) => [button(text, () => showSample(name)), " "])),
  said,
  camera,
  seen,
);
attempt(() => estimator, "This page cannot work here.");
