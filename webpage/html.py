"""Pictures as HTML in which all is contained, for the page: no files are written, none are fetched."""

import base64
import io

from PIL import Image

from sampling import latents

SCALE = 4  # a picture's pixel on the screen
CSS = """.faces {display: flex; flex-wrap: wrap; gap: 4px} .faces figure {margin: 0; cursor: pointer}
figure {margin: 0} .faces figcaption {text-align: center; font-size: 12px; min-height: 1.4em}
svg.hole {touch-action: none; cursor: crosshair}"""
CLICK = (
    "element.addEventListener('click', e => {const n = e.target.dataset.n; if (n) trigger('click', {n: Number(n)})});"
)
# A photo to paint a hole on. Its value: {photo: a URL, hole: the numbers of the painted pixels, size: of a side}
PAINT = """<svg class="hole" width="320" height="320" viewBox="0 0 ${value.size} ${value.size}">
<image href="${value.photo}" width="${value.size}" height="${value.size}" style="image-rendering: pixelated"/>
${value.hole.map(i => '<rect x="' + i % value.size + '" y="' + Math.floor(i / value.size) +
  '" width="1" height="1"/>').join('')}
</svg>"""
PAINT_JS = """let hole = null;
const paint = e => {
  const svg = element.querySelector('svg'), box = svg.getBoundingClientRect(), size = props.value.size, r = size / 14;
  const x = (e.clientX - box.left) / box.width * size, y = (e.clientY - box.top) / box.height * size;
  for (let v = Math.max(0, Math.ceil(y - r)); v < Math.min(size, y + r); v++)
    for (let u = Math.max(0, Math.ceil(x - r)); u < Math.min(size, x + r); u++)
      if (!hole.has(v * size + u)) {
        hole.add(v * size + u);
        const rect = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
        for (const [k, w] of Object.entries({x: u, y: v, width: 1, height: 1})) rect.setAttribute(k, w);
        svg.appendChild(rect);
      }
};
element.addEventListener('pointerdown', e => {
  if (props.value.photo) {hole = new Set(props.value.hole); e.preventDefault(); paint(e);}
});
element.addEventListener('pointermove', e => {if (hole) paint(e);});
window.addEventListener('pointerup', () => {
  if (hole) {props.value = {...props.value, hole: [...hole]}; hole = null;}
});"""


def data_url(content, kind):
    """Bytes as a data: URL."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def png_url(pixels):
    """uint8 [H, W, C] as a data: URL of a PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels if pixels.shape[-1] == 3 else pixels[..., 0]).save(file, "PNG")
    return data_url(file.getvalue(), "image/png")


def figure(pixels, caption="", z=None):
    """A picture uint8 [H, W, C], enlarged, with a caption, and links that download it and its z [z_dim]."""
    height, width = (SCALE * side for side in pixels.shape[:2])
    url = png_url(pixels)
    links = [f'<a download="face.png" href="{url}">picture</a>']
    if z is not None:
        file = io.BytesIO()
        latents.save_to(file, z[None])
        links.append(f'<a download="z.npz" href="{data_url(file.getvalue(), "application/octet-stream")}">z</a>')
    return (
        f'<figure><img src="{url}" width="{width}" height="{height}">'
        f"<figcaption>{caption}<br>Download: {' '.join(links)}</figcaption></figure>"
    )


def gallery(pixels, marks):
    """Pictures to click, with a mark on each, such as a number: HTML. A click's data-n is the picture's place."""
    side = int(1.25 * pixels.shape[1])
    cells = (
        f'<figure data-n="{n}"><img data-n="{n}" src="{png_url(picture)}" width="{side}" height="{side}">'
        f'<figcaption data-n="{n}">{mark}</figcaption></figure>'
        for n, (picture, mark) in enumerate(zip(pixels, marks))
    )
    return f'<div class="faces">{"".join(cells)}</div>'
