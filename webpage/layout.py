"""The layout of the page: tabs, components, and which callback serves which event."""

import os
import sys

import gradio as gr

from errors import UserError
from webpage import html
from webpage.callbacks import SLIDERS, Callbacks
from webpage.network import NewestModel

MOST_BYTES = "20mb"  # of an upload
PRIVATE = dict(api_visibility="private")  # of each event: no interface for programs


def build(checkpoint_dir):
    """The page of the network in a checkpoint folder: Gradio's Blocks."""
    calls = Callbacks(NewestModel(checkpoint_dir))
    with gr.Blocks(analytics_enabled=False, title="DCGAN faces", delete_cache=(600, 3600)) as page:
        collected = gr.State([])
        with gr.Tab("Faces"):
            faces_tab(calls, collected, page)
        with gr.Tab("Mix"), gr.Row():
            mix_tab(calls, collected)
        with gr.Tab("Edit a photo"):
            edit_tab(calls, collected)
        with gr.Tab("Complete"):
            complete_tab(calls)
    return page


def faces_tab(calls, collected, page):
    """Faces by seed; a click collects one."""
    faces = gr.State()
    with gr.Row():
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=10**9)
        draw = gr.Button("Draw", variant="primary")
    gallery, said = gr.HTML(js_on_load=html.CLICK, elem_id="gallery"), gr.Markdown()
    gr.on([draw.click, page.load], calls.draw_faces, seed, [faces, gallery, said], **PRIVATE)
    gallery.click(calls.collect, [faces, collected], [collected, said], **PRIVATE)


def mix_tab(calls, collected):
    """The collected faces in groups, two of them with a slider between, and sliders for the result."""
    with gr.Column():
        gr.Markdown("Collect faces in the tab Faces. A click here makes one plus, minus, plus too, or leaves it out.")
        chosen = gr.HTML(js_on_load=html.CLICK, elem_id="collected")
        clear = gr.Button("Start again")
        t = gr.Slider(0, 1, 0.5, label="From the first face to the second")
        arc = gr.Checkbox(label="Along the arc")
    with gr.Column():
        result = gr.HTML(elem_id="mixed")
        amounts = [gr.Slider(-1, 1, 0, label=f"Principal direction {i + 1}") for i in range(SLIDERS)]
    mixing = dict(fn=calls.mix, inputs=[collected, *amounts], outputs=result, **PRIVATE)
    collected.change(calls.show_collected, collected, chosen, **PRIVATE).then(**mixing)
    chosen.click(calls.change_group, collected, collected, **PRIVATE)
    gr.on([slider.release for slider in amounts], **mixing)
    gr.on([t.release, arc.input], calls.between, [collected, t, arc], result, **PRIVATE)
    clear.click(lambda: [], None, collected, **PRIVATE)


def edit_tab(calls, collected):
    """A photo, the nearest picture to it, and sliders that change that."""
    z, direction = gr.State(), gr.State()
    upload = gr.UploadButton("Upload a photo", file_types=["image"], variant="primary", elem_id="edit_upload")
    with gr.Row():
        photo, projected, edited = gr.HTML(), gr.HTML(elem_id="projected"), gr.HTML(elem_id="edited")
    amount = gr.Slider(-1, 1, 0, label="The direction made in Mix: plus - minus")
    loaded_amount = gr.Slider(-1, 1, 0, label="The direction loaded")
    load = gr.UploadButton("Load a direction (.npz)", file_types=[".npz"])
    inputs = [z, collected, direction, amount, loaded_amount]
    editing = dict(fn=calls.edit, inputs=inputs, outputs=edited, **PRIVATE)
    upload.upload(calls.project, upload, [photo, projected, z], concurrency_limit=2, **PRIVATE).success(**editing)
    gr.on([amount.release, loaded_amount.release], **editing)
    load.upload(calls.load_direction, load, direction, **PRIVATE)


def complete_tab(calls):
    """A photo to paint a hole on, and its completion."""
    pixels = gr.State()
    with gr.Row():
        upload = gr.UploadButton("Upload a photo", file_types=["image"], variant="primary", elem_id="hole_upload")
        fill, stop, renew = gr.Button("Complete", variant="primary"), gr.Button("Stop"), gr.Button("New hole")
        blend = gr.Checkbox(True, label="Without a seam (Poisson blending)")
    said = gr.Markdown()
    with gr.Row():
        nothing = {"photo": "", "hole": [], "size": 64}
        painted = gr.HTML(nothing, html_template=html.PAINT, js_on_load=html.PAINT_JS, elem_id="paint")
        completed = gr.HTML(elem_id="completed")
    upload.upload(calls.show_photo, upload, [pixels, painted, said], **PRIVATE)
    filling = fill.click(calls.complete, [pixels, painted, blend], completed, concurrency_limit=2, **PRIVATE)
    renew.click(lambda painted: {**painted, "hole": []}, painted, painted, **PRIVATE)
    stop.click(None, cancels=filling, **PRIVATE)


def serve(page, port):
    """Start to serve the page on this machine -> its address. Raises UserError for a port that is taken."""
    try:
        return page.launch(
            server_name="127.0.0.1", server_port=port, share=False, quiet=True, prevent_thread_lock=True,
            theme=gr.themes.Default(font="system-ui", font_mono="monospace"),  # others are loaded from Google
            css=html.CSS, max_file_size=MOST_BYTES, footer_links=[], enable_monitoring=False, mcp_server=False,
            ssr_mode=False, pwa=False, run_history=False,
            inbrowser=sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")),
        )[1]  # fmt: skip
    except OSError as error:
        raise UserError(f"--port {port}: is taken; give another one, or leave the flag out") from error
