// The waveform: audiowaveform's JSON (version 2), drawn into a canvas as wide as it is shown.

const QUIET = 0.05; // of full scale: what never gets louder is not drawn larger

/** Returns the lowest and the highest level per pixel, from -1 to 1 where it is loudest, and the seconds that they cover. */
export async function loadWaveform(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`The waveform answered ${response.status}.`);
  const { data, bits, length, samples_per_pixel: scale, sample_rate: rate } = await response.json();
  const most = 2 ** (bits - 1);
  const loudest = data.reduce((level, one) => Math.max(level, Math.abs(one)), most * QUIET);
  return { levels: data.map((level) => level / loudest), seconds: (length * scale) / rate };
}

/** Draws `waveform` (null: a line) over `duration` seconds; what lies before `time` in the colour of what was played. */
export function draw(canvas, waveform, duration, time) {
  const density = devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * density), Math.round(canvas.clientHeight * density)];
  if (!width || !height) return;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const { caretColor: played, color: ahead } = getComputedStyle(canvas);
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  const head = duration ? (time / duration) * width : 0;
  for (let x = 0; x < width; x += 1) {
    const [low, high] = waveform ? extremes(waveform, (x / width) * duration, ((x + 1) / width) * duration) : [0, 0];
    const top = Math.round(((1 - high) / 2) * (height - 1));
    const bottom = Math.round(((1 - low) / 2) * (height - 1));
    context.fillStyle = x < head ? played : ahead;
    context.fillRect(x, top, 1, Math.max(bottom - top, density));
  }
  context.fillStyle = played;
  context.fillRect(Math.min(Math.max(head - density, 0), width - 2 * density), 0, 2 * density, height);
}

function extremes({ levels, seconds }, from, to) {
  const pixels = levels.length / 2;
  const first = Math.floor((from / seconds) * pixels);
  const last = Math.min(Math.max(Math.ceil((to / seconds) * pixels), first + 1), pixels);
  let [low, high] = [0, 0];
  for (let pixel = first; pixel < last; pixel += 1) {
    low = Math.min(low, levels[2 * pixel]);
    high = Math.max(high, levels[2 * pixel + 1]);
  }
  return [low, high];
}
