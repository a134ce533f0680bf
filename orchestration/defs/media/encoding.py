"""What takes the processor's time: renditions and artwork."""

# annotations stay real objects here: Dagster reads them
from collections.abc import Iterator

import dagster as dg

from orchestration import taxonomy
from orchestration.defs.media import display
from orchestration.defs.media.masters import title_work
from orchestration.defs.media.naming import ARTWORK, FIRST_RUNG, LADDER, PROBE, RENDITIONS, title_asset
from orchestration.media.pipeline import draw_title
from orchestration.media.title_encode import encode_title_chunk, find_chunks, joined_encodes
from orchestration.media.verification import encode_title_to_target
from orchestration.resources.ffmpeg import MediaTools
from orchestration.resources.storage import MediaStorage
from orchestration.settings import Settings


def build_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """`media/renditions` and `media/artwork`."""
    # Between these steps nothing is handed over but their order and a chunk's name: what they make stands in the store,
    # so each may run on another host.

    @dg.op(ins={name: dg.In(dg.Nothing) for name in ("probe", "ladder", "first_rung")}, out=dg.DynamicOut(dg.Nothing))
    def chunks(
        context: dg.OpExecutionContext, storage: MediaStorage, media_tools: MediaTools
    ) -> Iterator[dg.DynamicOutput[None]]:
        """The chunks that are to be encoded; none for a film of one chunk, which is encoded where it is cut."""
        found = find_chunks(title_work(settings, context.partition_key, storage, media_tools))
        if len(found) > 1:
            for chunk in found:
                yield dg.DynamicOutput(None, mapping_key=chunk.name)

    @dg.op(ins={"chunk": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing), pool=taxonomy.POOL_ENCODE)
    def encode_chunk(context: dg.OpExecutionContext, storage: MediaStorage, media_tools: MediaTools) -> None:
        """Encodes one chunk to all rungs of its codec, unless the store has it."""
        work, chunk_name = title_work(settings, context.partition_key, storage, media_tools), context.get_mapping_key()
        assert chunk_name is not None
        encoded = encode_title_chunk(work, chunk_name, display.log_progress(context.log.info))
        if encoded is not None:
            context.log.info(f"{chunk_name}: {encoded.cpu_s:.1f} CPU seconds at {encoded.speed:.2f}x")

    @dg.op(ins={"chunks": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing), pool=taxonomy.POOL_ENCODE)
    def cut(context: dg.OpExecutionContext, storage: MediaStorage, media_tools: MediaTools) -> None:
        """Encodes what is left, joins chunks, cuts segments, and corrects rungs that miss their target."""
        work = title_work(settings, context.partition_key, storage, media_tools)
        verified = encode_title_to_target(work, display.log_progress(context.log.info))
        context.add_output_metadata(
            {
                **display.renditions_metadata(joined_encodes(verified.encodes)),
                "corrections": len(verified.encodes) - 1,
                "verification_cpu_s": verified.cpu_s,
            }
        )

    @dg.graph_asset(
        **title_asset(RENDITIONS, "ffmpeg", "shaka"),
        ins={
            "probe": dg.AssetIn(PROBE, dagster_type=dg.Nothing),
            "ladder": dg.AssetIn(LADDER, dagster_type=dg.Nothing),
            "first_rung": dg.AssetIn(FIRST_RUNG, dagster_type=dg.Nothing),
        },
    )
    def renditions(probe: None, ladder: None, first_rung: None) -> None:
        """The encoded and segmented rungs of a title: one set of CMAF segments per rung, cut at the same moments.

        A long film is encoded in chunks, each a step that decodes its stretch once for all rungs of a codec; a short
        one in one go. What the store holds, rung or chunk, is never encoded again: a run that was interrupted or is
        repeated encodes only what is missing. Immutable, shared by every package of the title, and what edges hold.
        Fails when the encode is shorter than the master, whatever the exit code says. A rung whose VMAF misses its
        target is encoded again with another rate factor, twice at most.
        """
        return cut(chunks(probe=probe, ladder=ladder, first_rung=first_rung).map(encode_chunk).collect())

    @dg.asset(**title_asset(ARTWORK, "ffmpeg", "jpeg"), deps=[PROBE])
    def artwork(
        context: dg.AssetExecutionContext, storage: MediaStorage, media_tools: MediaTools
    ) -> dg.MaterializeResult:
        """The poster and thumbnails of a title, taken from its master; the poster is the picture with most detail.

        Put into the package; shown by the viewer's page.
        """
        work = title_work(settings, context.partition_key, storage, media_tools)
        keys, drawn = draw_title(work)
        return dg.MaterializeResult(
            metadata={
                "pictures": len(keys),
                "drawn": drawn is not None,
                "thumbnails": display.pictures(work.store.read_bytes(key) for key in keys if "/thumb-" in key),
            }
        )

    return [renditions, artwork]
