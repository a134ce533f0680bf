// Reads HLS playlists: as much of RFC 8216 as our own packages use. Pure; no network and no page.

/** Attributes of a tag such as BANDWIDTH=1,CODECS="a,b". */
function attributes(text) {
  const found = {};
  for (const [, name, quoted, plain] of text.matchAll(/([A-Z0-9-]+)=(?:"([^"]*)"|([^,]*))/g)) {
    found[name] = quoted ?? plain;
  }
  return found;
}

function lines(text) {
  return text.split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
}

/** The video variants, lowest bit rate first, and the audio track of each, with absolute addresses. */
export function readMaster(text, url) {
  const audioByGroup = {};
  const variants = [];
  let pending = null;
  for (const line of lines(text)) {
    if (line.startsWith("#EXT-X-MEDIA:")) {
      const media = attributes(line.slice(13));
      const better = media.DEFAULT === "YES" || !(media["GROUP-ID"] in audioByGroup);
      if (media.TYPE === "AUDIO" && media.URI && better) {
        audioByGroup[media["GROUP-ID"]] = new URL(media.URI, url).href;
      }
    } else if (line.startsWith("#EXT-X-STREAM-INF:")) {
      pending = attributes(line.slice(18));
    } else if (!line.startsWith("#") && pending) {
      const [width, height] = (pending.RESOLUTION ?? "0x0").split("x").map(Number);
      variants.push({
        url: new URL(line, url).href,
        rung: line.split("/").at(-1).replace(/\.m3u8$/, ""), // our packages name playlists by rung
        bitrate: Number(pending["AVERAGE-BANDWIDTH"] ?? pending.BANDWIDTH),
        codecs: (pending.CODECS ?? "").split(",").map((codec) => codec.trim()),
        width, height, audioGroup: pending.AUDIO ?? null,
      });
      pending = null;
    }
  }
  for (const variant of variants) variant.audioUrl = audioByGroup[variant.audioGroup] ?? null;
  return variants.filter((variant) => variant.height > 0).sort((a, b) => a.bitrate - b.bitrate);
}

/** The captions of a title: {name, language, isForced, url of the playlist}. */
export function readCaptions(text, url) {
  return lines(text)
    .filter((line) => line.startsWith("#EXT-X-MEDIA:"))
    .map((line) => attributes(line.slice(13)))
    .filter((media) => media.TYPE === "SUBTITLES" && media.URI)
    .map((media) => ({
      name: media.NAME, language: media.LANGUAGE ?? "", isForced: media.FORCED === "YES", url: new URL(media.URI, url).href,
    }));
}

/** The initialization section and the segments of one rung: {init, segments: [{url, start, duration}], duration}. */
export function readMedia(text, url) {
  let init = null;
  let start = 0;
  let duration = 0;
  const segments = [];
  for (const line of lines(text)) {
    if (line.startsWith("#EXT-X-MAP:")) init = new URL(attributes(line.slice(11)).URI, url).href;
    else if (line.startsWith("#EXTINF:")) duration = parseFloat(line.slice(8));
    else if (!line.startsWith("#")) {
      segments.push({ url: new URL(line, url).href, start, duration });
      start += duration;
    }
  }
  return { init, segments, duration: start };
}

/** The rung nearest to the wish, by ratio: the server counts the video alone, a variant its audio too. */
export function chooseVariant(variants, wish) {
  const distance = (variant) => Math.abs(Math.log(variant.bitrate / wish));
  return wish > 0 ? variants.reduce((best, one) => (distance(one) < distance(best) ? one : best)) : variants[0];
}
