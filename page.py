#!/usr/bin/env python3
"""A page to play with a trained network: pick, mix, edit and complete faces in a browser.

    ./page.py --checkpoint_dir checkpoints

It listens on this machine alone, loads nothing from elsewhere, and keeps no photo: each is deleted as soon
as it is read. While a training runs, the page follows its newest checkpoint. `make page` installs what it
needs, and opens it.
"""

import contextlib
import os
import sys
import tempfile
import threading

import cli
from errors import UserError
from training import devices
from training.settings import whole

FACES, SLIDERS = 48, 6  # drawn at a time; principal directions
GROUPS = ["", "plus", "minus", "plus too"]  # what a click on a collected face steps through
MOST_BYTES = "20mb"  # of an upload


def flags():
    """The command line."""
    parser = cli.parser(__doc__)
    cli.add_network_flags(parser, step=False)
    cli.add_flag(
        parser, "port", whole(1, 65535), None, "port on this machine (default: the first free one from 7860 on)"
    )
    return parser


def build(newest):
    """The page, for a loading.NewestModel: Gradio's Blocks."""
    import gradio as gr
    import numpy as np

    import utils
    from alignment.openface import AlignDlib
    from sampling import blending, completion, generation, html, latents, projection, projection_files

    aligner = AlignDlib()
    searching = completion.SearchSettings(outInterval=10)

    def network():
        try:
            return newest.get()
        except UserError as error:
            raise gr.Error(f"{error}.", duration=None) from error

    @contextlib.contextmanager
    def read_once(upload):
        """Delete an upload after it was read, and show what is wrong with it."""
        try:
            yield
        except UserError as error:
            raise gr.Error(str(error).rpartition(": ")[2].capitalize() + ".") from error
        finally:
            os.remove(upload)

    def drawn(z, caption=""):
        return html.figure(generation.generate(network()[0], z[None].clip(-1, 1))[0], caption, z)

    def read(upload):
        """The face in an uploaded photo, which is deleted, and what to say of it."""
        dcgan, _ = network()
        with read_once(upload):
            try:
                return projection_files.read_aligned(upload, dcgan, aligner), "Aligned."
            except UserError:  # an aligned face, perhaps
                return projection_files.read([upload], dcgan)[0], "No face found: its central square."

    def draw_faces(seed):
        dcgan, step = network()
        z = latents.draw(int(seed), range(FACES), dcgan.z_dim)
        pictures = html.gallery(generation.generate(dcgan, z), range(FACES))
        return z, pictures, f"Step {step:,}. Click faces to collect them."

    def show_collected(collected):
        z = np.array([z for z, _ in collected])
        marks = [GROUPS[group] for _, group in collected]
        return html.gallery(generation.generate(network()[0], z) if collected else [], marks)

    def collect(z, collected, event: gr.EventData):
        collected = [*collected, (z[event.n], 1)]
        return collected, show_collected(collected), f"{len(collected)} collected; see Mix."

    def change_group(collected, event: gr.EventData):
        collected = [(z, (group + (n == event.n)) % len(GROUPS)) for n, (z, group) in enumerate(collected)]
        return collected, show_collected(collected)

    def mean(collected, group):
        members = [z for z, its_group in collected if its_group == group]
        return np.mean(members, axis=0) if members else 0

    def mix(collected, *amounts):
        if not collected:
            raise gr.Error("Collect faces first, in the tab Faces.")
        z = mean(collected, 1) - mean(collected, 2) + mean(collected, 3)
        z = np.float32(z + np.zeros(network()[0].z_dim))
        for amount, direction in zip(amounts, latents.principal_directions(network()[0], SLIDERS)):
            z = z + np.float32(amount) * direction
        return drawn(z, "plus - minus + plus too, moved by the sliders.")

    def between(collected, t, arc):
        if len(collected) < 2:
            raise gr.Error("Collect two faces first, in the tab Faces.")
        interpolate = latents.slerp if arc else latents.lerp
        return drawn(interpolate(collected[0][0], collected[1][0], t), "Between the first two.")

    def project(upload):
        pixels, said = read(upload)
        photo = html.figure(pixels, said)
        for iteration, z, generated in projection.project(newest.search(projection.SETTINGS), pixels[None]):
            near = projection.psnr(pixels[None], generated)[0]
            caption = f"{iteration} of {projection.SETTINGS.nIter} iterations, PSNR {near:.1f} dB."
            yield photo, html.figure(generated[0], caption, z[0]), z[0]

    def load_direction(upload):
        with read_once(upload):
            return latents.load(upload, network()[0].z_dim, "The direction")[0]

    def edit(z, collected, loaded, amount, loaded_amount):
        if z is None:
            raise gr.Error("Upload a photo first.")
        moved = (
            z + amount * (mean(collected, 1) - mean(collected, 2)) + (0 if loaded is None else loaded_amount * loaded)
        )
        return drawn(np.float32(moved), "Moved by the sliders.")

    def show_photo(upload):
        pixels, said = read(upload)
        return pixels, {"photo": html.png_url(pixels), "hole": [], "size": len(pixels)}, said + " Paint the hole."

    def complete(pixels, painted, blend):
        if pixels is None or not painted["hole"]:
            raise gr.Error("Upload a photo, and paint over what is to be filled.")
        mask = np.ones([1, pixels.shape[0] ** 2], np.float32)
        mask[:, [i for i in painted["hole"] if 0 <= i < mask.size]] = 0
        mask, image = mask.reshape(1, *pixels.shape[:2], 1), utils.transform(pixels[None])
        for iteration, z, generated, *_ in newest.search(searching).reports(image, mask):
            fill = (
                blending.blend(image[0], generated[0], mask[0]) if blend else blending.fill(image, generated, mask)[0]
            )
            yield html.figure(
                utils.inverse_transform(fill[None])[0], f"{iteration} of {searching.nIter:,} iterations.", z[0]
            )

    private = dict(api_visibility="private")  # no interface for programs
    with gr.Blocks(analytics_enabled=False, title="DCGAN faces", delete_cache=(600, 3600)) as page:
        faces, z_photo, direction, pixels, collected = *(gr.State() for _ in range(4)), gr.State([])
        with gr.Tab("Faces"):
            with gr.Row():
                seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=10**9)
                draw = gr.Button("Draw", variant="primary")
            gallery, said = gr.HTML(js_on_load=html.CLICK, elem_id="gallery"), gr.Markdown()
        with gr.Tab("Mix"), gr.Row():
            with gr.Column():
                gr.Markdown("Click a face: plus, minus, plus too, left out.")
                chosen = gr.HTML(js_on_load=html.CLICK, elem_id="collected")
                clear = gr.Button("Start again")
                t = gr.Slider(0, 1, 0.5, label="From the first face to the second")
                arc = gr.Checkbox(label="Along the arc")
            with gr.Column():
                result = gr.HTML(elem_id="mixed")
                amounts = [gr.Slider(-1, 1, 0, label=f"Principal direction {i + 1}") for i in range(SLIDERS)]
        with gr.Tab("Edit a photo"):
            upload = gr.UploadButton("Upload a photo", file_types=["image"], variant="primary", elem_id="edit_upload")
            with gr.Row():
                photo, projected, edited = gr.HTML(), gr.HTML(elem_id="projected"), gr.HTML(elem_id="edited")
            amount = gr.Slider(-1, 1, 0, label="The direction made in Mix: plus - minus")
            loaded_amount = gr.Slider(-1, 1, 0, label="The direction loaded")
            load = gr.UploadButton("Load a direction (.npz)", file_types=[".npz"])
        with gr.Tab("Complete"):
            with gr.Row():
                upload_hole = gr.UploadButton(
                    "Upload a photo", file_types=["image"], variant="primary", elem_id="hole_upload"
                )
                fill, stop, renew = gr.Button("Complete", variant="primary"), gr.Button("Stop"), gr.Button("New hole")
                blend = gr.Checkbox(True, label="Without a seam (Poisson blending)")
            said_hole = gr.Markdown()
            with gr.Row():
                painted = gr.HTML(
                    {"photo": "", "hole": [], "size": 64},
                    html_template=html.PAINT,
                    js_on_load=html.PAINT_JS,
                    elem_id="paint",
                )
                completed = gr.HTML(elem_id="completed")

        gr.on([draw.click, page.load], draw_faces, seed, [faces, gallery, said], **private)
        mixing = dict(fn=mix, inputs=[collected, *amounts], outputs=result, **private)
        gallery.click(collect, [faces, collected], [collected, chosen, said], **private).then(**mixing)
        chosen.click(change_group, collected, [collected, chosen], **private).then(**mixing)
        gr.on([slider.release for slider in amounts], **mixing)
        gr.on([t.release, arc.input], between, [collected, t, arc], result, **private)
        clear.click(lambda: ([], ""), None, [collected, chosen], **private)
        editing = dict(
            fn=edit, inputs=[z_photo, collected, direction, amount, loaded_amount], outputs=edited, **private
        )
        project_event = upload.upload(project, upload, [photo, projected, z_photo], concurrency_limit=2, **private)
        project_event.then(**editing)
        gr.on([amount.release, loaded_amount.release], **editing)
        load.upload(load_direction, load, direction, **private)
        upload_hole.upload(show_photo, upload_hole, [pixels, painted, said_hole], **private)
        filled = fill.click(complete, [pixels, painted, blend], completed, concurrency_limit=2, **private)
        renew.click(lambda painted: {**painted, "hole": []}, painted, painted, **private)
        stop.click(None, cancels=filled, **private)
    return page


def main(arguments):
    """Serve the page until Ctrl-C. Returns the exit code."""
    options = flags().parse_args(arguments)
    cli.use_name(vars(options), arguments)
    devices.set_up()
    with tempfile.TemporaryDirectory(prefix="dcgan-page-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder  # where uploads lie until they are read
        import gradio as gr

        from sampling import html, loading

        page = build(loading.NewestModel(options.checkpoint_dir))
        launch = dict(
            server_name="127.0.0.1", server_port=options.port, share=False, quiet=True, prevent_thread_lock=True,
            theme=gr.themes.Default(font="system-ui", font_mono="monospace"),  # others are loaded from Google
            css=html.CSS, max_file_size=MOST_BYTES, footer_links=[], enable_monitoring=False,
            mcp_server=False, ssr_mode=False, pwa=False, run_history=False,
            inbrowser=sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")),
        )  # fmt: skip
        try:
            _, url, _ = page.launch(**launch)
        except OSError as error:
            raise UserError(f"--port {options.port}: is taken; give another one, or leave the flag out") from error
        print(f"the page: {url} (Ctrl-C ends it)")
        cli.raise_on_signals()
        try:
            threading.Event().wait()
        except KeyboardInterrupt as interruption:
            page.close()
            return interruption.args[0]


if __name__ == "__main__":
    cli.run(main)
