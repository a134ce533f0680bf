"""Masters for the sample world: short generated films of different nature, and one file that is none.

Made by ffmpeg's test sources, so nothing is downloaded and every byte may be shared. They differ in what makes
encoders, ladders and players work: still and busy pictures, grain, hard edges, dark scenes, upright and odd sizes; 24,
25 and 30 frames per second; mono, stereo and 5.1 sound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg

DURATION_S = 12
TIMEOUT_S = 300
BROKEN_NAME = "lost-in-transfer.mp4"


@dataclass(frozen=True, kw_only=True)
class SampleMaster:
    """A recipe for one film.

    Attributes:
        name: File name; the title's id and name come from it.
        nature: What it is there to show.
        picture: ffmpeg source and filters; ``{d}`` is the duration in seconds.
        sound: Likewise.
        channels: Sound channels.
    """

    name: str
    nature: str
    picture: str
    sound: str
    channels: int = 2
    crf: int = 20


SAMPLE_MASTERS: tuple[SampleMaster, ...] = (
    SampleMaster(
        name="the-test-card.mp4",
        nature="test card with a running clock: sharp edges, saturated colours, 25p",
        picture="testsrc2=s=1280x720:r=25:d={d}",
        sound="sine=f=440:b=4:r=48000:d={d}",
        channels=1,
    ),
    SampleMaster(
        name="mandelbrot-descent.mp4",
        nature="zoom into a fractal: detail that never ends, 24p",
        picture="mandelbrot=s=320x180:r=24:end_scale=0.05:end_pts=400:maxiter=300,trim=end={d},scale=960:540",
        sound="aevalsrc='0.2*sin(2*PI*(110+4*t)*t)|0.2*sin(2*PI*(111+4*t)*t)':s=48000:d={d}",
        crf=24,
    ),
    SampleMaster(
        name="the-colony.mp4",
        nature="game of life: hard pixels, motion everywhere, 30p",
        picture="life=s=213x120:r=30:mold=20:ratio=0.12:seed=7:life_color=#e8c468:mold_color=#7a2d2d:death_color=#101820,"
        "trim=end={d},scale=852:480:flags=neighbor",
        sound="anoisesrc=d={d}:c=pink:a=0.1:r=48000:seed=7,tremolo=f=2:d=0.7",
        channels=1,
    ),
    SampleMaster(
        name="northern-lights.mp4",
        nature="slow colour gradients, where banding shows, 24p, 1080p",
        picture="gradients=s=480x270:r=24:d={d}:n=6:speed=0.02:seed=3,scale=1920:1080",
        sound="aevalsrc='0.15*sin(2*PI*220*t)*(1+sin(2*PI*0.25*t))|0.15*sin(2*PI*277*t)*(1+cos(2*PI*0.25*t))':s=48000:d={d}",
    ),
    SampleMaster(
        name="snow-on-channel-nine.mp4",
        nature="moving bars under heavy grain: the encoder's hardest case, 30000/1001p",
        picture="smptehdbars=s=854x480:r=30000/1001:d={d},scroll=h=0.004,noise=alls=14:allf=t:all_seed=11",
        sound="anoisesrc=d={d}:c=white:a=0.06:r=48000:seed=11",
        crf=28,
    ),
    SampleMaster(
        name="drifting-continents.mp4",
        nature="slow pan over a generated landscape, 24p, 5.1 sound",
        picture="perlin=s=320x180:r=24:octaves=3:persistence=0.6:xscale=3:yscale=3:tscale=0.15:random_mode=seed:random_seed=5,"
        "trim=end={d},pseudocolor=p=turbo,scale=1280:720",
        sound="aevalsrc='0.2*sin(2*PI*196*t)|0.2*sin(2*PI*247*t)|0.2*sin(2*PI*294*t)|0.3*sin(2*PI*49*t)"
        "|0.1*sin(2*PI*392*t)|0.1*sin(2*PI*494*t)':c=5.1:s=48000:d={d}",
        channels=6,
    ),
    SampleMaster(
        name="night-shift.mp4",
        nature="dark cellular automaton: fine lines in the shadows, 25p, small",
        picture="cellauto=s=640x360:r=25:rule=110:seed=42:scroll=1,trim=end={d},format=yuv420p,"
        "lutyuv=y='16+val*0.22':u=120:v=132",
        sound="aevalsrc='0.3*sin(2*PI*55*t)*exp(-3*mod(t,1))|0.3*sin(2*PI*55*t)*exp(-3*mod(t+0.5,1))':s=48000:d={d}",
    ),
    SampleMaster(
        name="tall-order.mp4",
        nature="upright film as from a phone, 30p",
        picture="zoneplate=s=406x720:r=30:d={d}:ku=512:kv=100:kx2=8:ky2=8:kt2=6",
        sound="sine=f=660:b=2:r=48000:d={d}",
        channels=1,
    ),
    SampleMaster(
        name="carpet-weavers.mp4",
        nature="fractal pan with repeating pattern, nearly square, 25p",
        picture="sierpinski=s=720x640:r=25:seed=9:jump=60:type=carpet,trim=end={d}",
        sound="anoisesrc=d={d}:c=brown:a=0.3:r=48000:seed=9",
    ),
    SampleMaster(
        name="colour-wheel.mp4",
        nature="a slow spectrum, all hues at once, 24p",
        picture="rgbtestsrc=s=960x540:r=24:d={d},hue=h=30*t:s=0.8",
        sound="aevalsrc='0.2*sin(2*PI*330*t)|0.2*sin(2*PI*331*t)':s=48000:d={d}",
    ),
)


def generate_masters(
    folder: Path, count: int = 8, duration_s: float = DURATION_S, on_done: Callable[[Path], None] | None = None
) -> list[Path]:
    """Write the first ``count`` sample masters into ``folder``; those that are there already are left alone.

    Raises:
        ValueError: There are not so many recipes.
        ProgramError: ffmpeg failed.
    """
    if count > len(SAMPLE_MASTERS):
        raise ValueError(f"there are {len(SAMPLE_MASTERS)} sample masters, {count} were asked for")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, recipe in enumerate(SAMPLE_MASTERS[:count]):
        path = folder / recipe.name
        if not path.exists():
            # Films of one length would end in step in every test; a few odd seconds keep them apart.
            _generate(recipe, path, duration_s + (0, 1, 2, 0)[number % 4])
        paths.append(path)
        if on_done is not None:
            on_done(path)
    return paths


def generate_broken_master(folder: Path) -> Path:
    """Write a file that has a film's name and is none: what quarantine is for."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / BROKEN_NAME
    if not path.exists():
        staged = _staged(path)
        staged.write_text("This is not a film. The transfer wrote its own log under the film's name.\n" * 50)
        staged.replace(path)
    return path


def _generate(recipe: SampleMaster, path: Path, duration_s: float) -> None:
    staged = _staged(path)
    duration = f"{duration_s:g}"
    command = [
        find_ffmpeg(), "-v", "error", "-nostdin", "-y",
        "-f", "lavfi", "-i", recipe.picture.replace("{d}", duration),
        "-f", "lavfi", "-i", recipe.sound.replace("{d}", duration),
        "-map", "0:v", "-map", "1:a", "-t", duration,
        "-c:v", "libx264", "-preset", "ultrafast", "-crf", str(recipe.crf), "-pix_fmt", "yuv420p", "-threads", "2",
        "-c:a", "aac", "-b:a", f"{64 * recipe.channels}k", "-ac", str(recipe.channels),
        "-metadata:s:a:0", "language=eng", "-fflags", "+bitexact", "-flags:v", "+bitexact",
        "-movflags", "+faststart", "-f", "mp4", str(staged),
    ]  # fmt: skip
    try:
        run_program(command, timeout_s=TIMEOUT_S)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


def _staged(path: Path) -> Path:
    """A hidden name beside ``path``, which the intake does not look at."""
    return path.with_name(f".{path.name}.part")
