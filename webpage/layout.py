"""The layout of the page: components, and which callback serves which event."""

import functools
import os
import sys

import gradio as gr

from errors import UserError
from webpage import pictures
from webpage.callbacks import BOXES, SLIDERS, Callbacks
from webpage.network import Networks

MOST_BYTES = "20mb"  # of an upload
PRIVATE = dict(api_visibility="private")  # of each event: no interface for programs
LATEST = dict(trigger_mode="always_last", show_progress="hidden", **PRIVATE)  # of sliders: the last value counts
TITLE = """# DCGAN faces
A network that draws faces. Pick one, and change it; mix three; edit or complete a photo. To begin anew, reload."""
MIX = "**Mix.** C gets what A has more than B: smiling woman - serious woman + man = smiling man."
CSS = """.sliders, .boxes {gap: 8px}
.below {align-items: center}
.link div, .link a {padding: 0 !important}
.pick .grid-container {grid-template-columns: repeat(auto-fill, minmax(var(--face), 1fr)) !important;
    grid-template-rows: none !important; grid-auto-rows: auto !important}
.pick .grid-wrap {max-height: none !important; min-height: 0 !important; height: auto !important}
.pick .gallery-item, .pick .thumbnail-item {aspect-ratio: 1; height: auto}
#gallery {--face: 98px} .examples {--face: 60px}
@media (max-width: 640px) {#gallery {--face: 66px}}"""  # as many columns as there is room for


def build(folder):
    """The page: Gradio's Blocks. folder: of the network that is shown first."""
    networks = Networks(folder)
    calls = Callbacks(networks)
    with gr.Blocks(analytics_enabled=False, title="DCGAN faces") as page:
        with gr.Row():
            with gr.Column(scale=3, min_width=320):
                gr.Markdown(TITLE)
            with gr.Column(scale=2, min_width=320):
                run = gr.Dropdown(networks.choices(), value=folder, label="Network", filterable=False)
                about = gr.Markdown(elem_id="about")
        with gr.Tabs():
            with gr.Tab("Faces"), gr.Row():
                with gr.Column(scale=2, min_width=320):
                    faces = FacesPanel(calls, run)
                    photo = PhotoPanel(calls, run)
                with gr.Column(scale=3, min_width=320):
                    face = FacePanel(calls, run)
            with gr.Tab("Complete a photo"):
                hole = CompletionPanel(calls, run)
        face.chosen = faces.gallery.select
        faces.connect(face)
        photo.connect(face)
        opened = [about, photo.examples, hole.examples, face.find, face.vectors, *face.sliders]
        panels = [face, photo, hole]
        emptied = [component for panel in panels for component in panel.emptied]
        run.change(
            lambda: [value for panel in panels for value in panel.empty()], None, emptied,
            cancels=[search for panel in panels for search in panel.searches], **PRIVATE,
        )  # fmt: skip
        page.load(lambda: gr.Dropdown(choices=networks.choices()), None, run, show_progress="hidden", **PRIVATE)
        for event in (page.load, run.change):
            event(calls.open, run, opened, show_progress="hidden", **PRIVATE).then(
                calls.draw, [run, faces.seed], [faces.z, faces.gallery], **PRIVATE
            ).then(calls.first, [run, faces.z], [faces.gallery, *face.all], show_progress="hidden", **PRIVATE)
    return page


class FacesPanel:
    """Faces by seed, of which a click chooses one."""

    def __init__(self, calls, run):
        self.calls, self.run, self.z = calls, run, gr.State()
        with gr.Row(elem_classes="below"):
            self.seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=10**9, min_width=90)
            more = gr.Button("More faces", variant="primary", min_width=120)
        self.gallery = pictures.shown_as(
            gr.Gallery(
                show_label=False, columns=6, height="auto", allow_preview=False, interactive=False, buttons=[],
                object_fit="contain", elem_id="gallery", elem_classes="pick",
            ),
            pictures.many,
        )  # fmt: skip
        self.seed.submit(calls.draw, [run, self.seed], [self.z, self.gallery], **PRIVATE)
        more.click(calls.more, [run, self.seed], [self.seed, self.z, self.gallery], **PRIVATE)

    def connect(self, face):
        """A click shows the face on the right."""
        # One after the other: with "always_last" Gradio repeats the first click's number, with "once" it drops the last
        in_turn = dict(trigger_mode="multiple", show_progress="hidden", **PRIVATE)
        self.gallery.select(self.calls.pick, [self.run, self.z], face.all, **in_turn)


class FacePanel:
    """The chosen face, large, with sliders; and three boxes to mix it with others."""

    def __init__(self, calls, run):
        self.z, self.vectors, boxes = gr.State(), gr.State(), gr.State({})
        with gr.Row():
            with gr.Column(min_width=300):
                self.picture = pictures.shown_as(
                    gr.Image(show_label=False, interactive=False, height=330, buttons=["download"], elem_id="chosen"),
                    pictures.one,
                )
                self.said, self.link = gr.Markdown(elem_id="said"), gr.HTML(elem_classes="link")
                self.find = gr.Button("Give the sliders names: smile, turn, …", visible=False, size="sm")
                self.stop = gr.Button("Stop", visible=False, size="sm")
            with gr.Column(min_width=300, elem_classes="sliders"):
                self.sliders = [gr.Slider(-1, 1, 0, step=0.05, visible=False) for _ in range(SLIDERS)]
        gr.Markdown(MIX)
        with gr.Row(elem_classes="boxes"):
            shown, self.buttons = [], []
            for name in BOXES:
                with gr.Column(min_width=90):
                    shown.append(
                        pictures.shown_as(
                            gr.Image(label=name, interactive=False, height=110, buttons=[], elem_id=f"box{name}"),
                            pictures.one,
                        )
                    )
                    self.buttons.append(gr.Button(f"Put into {name}", size="sm", interactive=False, min_width=80))
            with gr.Column(min_width=200):
                combine = gr.Button("A - B + C", interactive=False)
                between = gr.Slider(0, 1, 0.5, step=0.02, label="From A to B", interactive=False)
        with gr.Row(elem_classes="below"):
            name = gr.Textbox(placeholder="name, such as beard", show_label=False, max_lines=1, min_width=120)
            keep = gr.Button("Keep A - B as a slider", interactive=False, min_width=120)
        self.all = [self.z, self.picture, self.link, self.said, *self.buttons, *self.sliders]
        self.emptied = [boxes, *shown, combine, between, keep, self.stop]
        moved = [self.vectors, self.z, *self.sliders]
        moving = dict(fn=calls.moved, inputs=[run, *moved], outputs=[self.picture, self.link], **LATEST)
        gr.on([slider.input for slider in self.sliders], **moving)
        for number, button in enumerate(self.buttons):
            button.click(
                functools.partial(put, calls, number), [run, boxes, *moved],
                [boxes, shown[number], combine, between, keep], show_progress="hidden", **PRIVATE,
            )  # fmt: skip
        combine.click(calls.combine, [run, boxes], self.all, show_progress="hidden", **PRIVATE)
        between.input(calls.between, [run, boxes, between], self.all, **LATEST)
        for event in (keep.click, name.submit):
            event(calls.keep, [run, boxes, name], [self.said, name, self.vectors, *self.sliders], **PRIVATE)
        found = [self.said, self.stop, self.find, self.vectors, *self.sliders]
        finding = self.find.click(calls.find_directions, run, found, show_progress="hidden", **PRIVATE)
        told = [self.said, self.stop]
        self.stop.click(lambda: ("", gr.Button(visible=False)), None, told, cancels=finding, **PRIVATE)
        self.searches = [finding]

    def empty(self):
        """The values of what belongs to one network."""
        off = gr.Button(interactive=False)
        return {}, *[None] * len(BOXES), off, gr.Slider(interactive=False), off, gr.Button(visible=False)


def put(calls, number, run, boxes, *moved):
    """Callbacks.put, for the box of a number."""
    return calls.put(run, number, boxes, *moved)


def may_stop(pixels):
    """The pixels as they are, and a button that works."""
    return pixels, gr.Button(interactive=True)


class PhotoPanel:
    """A photo, of which the nearest face is searched."""

    def __init__(self, calls, run):
        self.calls, self.run, self.pixels = calls, run, gr.State()
        with gr.Accordion("Edit a photo", open=False):
            gr.Markdown("The nearest face that the network can draw is searched; the sliders then change it.")
            with gr.Row():
                self.upload = gr.UploadButton(
                    "Upload a photo", file_types=["image"], variant="primary", elem_id="edit_upload"
                )
                self.stop = gr.Button("Stop", interactive=False)
            gr.Markdown("Or click one of these generated faces:")
            self.examples = examples_gallery("edit_examples")
            self.crop = pictures.shown_as(
                gr.Image(show_label=False, interactive=False, height=200, buttons=[], elem_id="crop"), pictures.one
            )
            self.said = gr.Markdown()

        self.emptied, self.searches = [self.pixels, self.crop, self.said], []

    def empty(self):
        """The values of what belongs to one network."""
        return None, None, ""

    def connect(self, face):
        """A photo or an example shows its nearest face on the right, as it is searched, until another one is chosen."""
        quietly = dict(show_progress="hidden", **PRIVATE)
        got, upload = [self.pixels, self.said], dict(concurrency_limit=None, **PRIVATE)
        uploaded = self.upload.upload(self.calls.crop, [self.run, self.upload], got, **upload)
        clicked = self.examples.select(self.calls.example, self.run, got, **PRIVATE)
        for event in (uploaded, clicked):
            seen = event.success(may_stop, self.pixels, [self.crop, self.stop], **quietly)
            search = dict(fn=self.calls.project, inputs=[self.run, self.pixels], outputs=face.all, **quietly)
            self.searches.append(seen.then(**search, concurrency_limit=2))
        for search in self.searches:
            search.then(lambda: gr.Button(interactive=False), None, self.stop, **PRIVATE)
        for event in (self.upload.upload, self.examples.select, self.stop.click, face.chosen):
            event(lambda: gr.Button(interactive=False), None, self.stop, cancels=self.searches, **PRIVATE)


# The original's masks, by their names in complete.py
MASKS = {"center": "Middle", "left": "Left half", "random": "Specks", "grid": "All but a grid"}


class CompletionPanel:
    """A photo to paint a hole on, and its completion."""

    def __init__(self, calls, run):
        pixels, hole = gr.State(), gr.State()
        said_of_crop = gr.Markdown("The network fills what you paint over.")
        with gr.Row():
            upload = gr.UploadButton(
                "Upload a photo", file_types=["image"], variant="primary", elem_id="hole_upload", min_width=100
            )
            fill, stop = (
                gr.Button("Complete", variant="primary", interactive=False, min_width=100),
                gr.Button("Stop", interactive=False, min_width=100),
            )
            blend = gr.Checkbox(True, label="Without a seam (Poisson blending)")
        with gr.Row():
            with gr.Column(min_width=320):
                gr.Markdown("Or click one of these generated faces:")
                self.examples = examples_gallery("hole_examples")
                painting = pictures.shown_as(
                    gr.ImageEditor(
                        show_label=False, sources=(), transforms=(), layers=False, type="numpy", image_mode="RGBA",
                        brush=gr.Brush(default_size=40, colors=["#000000"], color_mode="fixed"), height=480,
                        canvas_size=(pictures.SHOWN, pictures.SHOWN), buttons=[], elem_id="painting",
                    ),
                    pictures.to_paint_on,
                )  # fmt: skip
                with gr.Row():
                    small = dict(size="sm", interactive=False, min_width=80)
                    masks = {kind: gr.Button(name, **small) for kind, name in MASKS.items()}
            with gr.Column(min_width=320):
                result = pictures.shown_as(
                    gr.ImageSlider(
                        show_label=False, interactive=False, height=480, buttons=["download"], elem_id="completed"
                    ),
                    pictures.two,
                )
                said = gr.Markdown(elem_id="completion_said")
        uploaded = upload.upload(
            calls.crop, [run, upload], [pixels, said_of_crop], concurrency_limit=None, **PRIVATE
        )  # fmt: skip
        clicked = self.examples.select(calls.example, run, [pixels, said_of_crop], **PRIVATE)
        ready = [fill, *masks.values()]
        for event in (uploaded, clicked):
            event.success(calls.to_paint, pixels, [painting, result, said], **PRIVATE).then(
                lambda: [gr.Button(interactive=True)] * len(ready), None, ready, **PRIVATE
            )
        for kind, button in masks.items():
            button.click(functools.partial(calls.mask, kind=kind), pixels, painting, **PRIVATE)
        # The hole is read at once, and the search may wait: the painting's files are swept away (serving.py)
        seen = fill.click(calls.hole, [pixels, painting], [hole, stop], show_progress="hidden", **PRIVATE)
        search = dict(fn=calls.complete, inputs=[run, pixels, hole, blend], outputs=[result, said])
        filling = seen.success(**search, show_progress="hidden", concurrency_limit=2, **PRIVATE)
        filling.then(lambda: gr.Button(interactive=False), None, stop, **PRIVATE)
        for event in (upload.upload, self.examples.select, stop.click):  # a new photo ends the search for the last one
            event(lambda: gr.Button(interactive=False), None, stop, cancels=filling, **PRIVATE)
        self.searches, self.emptied = [filling], [pixels, painting, result, said, *ready]
        self.empty = lambda: (None, None, None, "", *[gr.Button(interactive=False)] * len(ready))


def examples_gallery(name):
    """A row of generated faces, to try things on without a photo."""
    gallery = gr.Gallery(
        show_label=False, columns=6, height="auto", allow_preview=False, interactive=False, buttons=[],
        object_fit="contain", elem_id=name, elem_classes=["pick", "examples"],
    )  # fmt: skip
    return pictures.shown_as(gallery, pictures.many)


def serve(page, port):
    """Start to serve the page on this machine -> its address. Raises UserError for a port that is taken."""
    try:
        return page.launch(
            server_name="127.0.0.1", server_port=port, share=False, quiet=True, prevent_thread_lock=True,
            theme=gr.themes.Default(font="system-ui", font_mono="monospace"),  # others are loaded from Google
            css=CSS, max_file_size=MOST_BYTES, footer_links=[], enable_monitoring=False, mcp_server=False,
            ssr_mode=False, pwa=False, run_history=False,
            inbrowser=sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")),
        )[1]  # fmt: skip
    except OSError as error:
        raise UserError(f"--port {port}: is taken; give another one, or leave the flag out") from error
