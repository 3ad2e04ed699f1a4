// The storyboard: which part of which sheet shows a time.

const CUE = /([\d:.]+) --> ([\d:.]+)[^\n]*\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)/g;

/** Returns a function from seconds to a tile, or null if there is none. `url` is that of the WebVTT file. */
export async function loadStoryboard(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`The storyboard answered ${response.status}.`);
  const tiles = [...(await response.text()).matchAll(CUE)].map(([, start, end, sheet, ...place]) => {
    const [x, y, width, height] = place.map(Number);
    return { start: seconds(start), end: seconds(end), sheet: new URL(sheet, new URL(url, location.href)).href, x, y, width, height };
  });
  return (time) => tiles.find((one) => time < one.end) ?? tiles.at(-1) ?? null;
}

const seconds = (stamp) => stamp.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);

/** Shows `tile` in an element by moving its background. */
export function showTile(element, tile) {
  element.hidden = !tile;
  if (!tile) return;
  const image = `url("${tile.sheet}")`;
  if (element.dataset.sheet !== tile.sheet) Object.assign(element.style, { backgroundImage: image });
  element.dataset.sheet = tile.sheet;
  Object.assign(element.style, {
    width: `${tile.width}px`, height: `${tile.height}px`, backgroundPosition: `-${tile.x}px -${tile.y}px`,
  });
}
