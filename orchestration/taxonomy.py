"""The words that every asset is filed under: groups, owners, kinds, tags and pools.

An asset's group is the first part of its key. A definitions test holds every asset to these lists.
"""

from __future__ import annotations

MEDIA = "media"
CATALOGUE = "catalogue"
EVENTS = "events"
WAREHOUSE = "warehouse"
RECOMMENDER = "recommender"
DEMAND = "demand"
EDGE = "edge"
SERVING = "serving"
OPS = "ops"

GROUPS = (MEDIA, CATALOGUE, EVENTS, WAREHOUSE, RECOMMENDER, DEMAND, EDGE, SERVING, OPS)

OWNERS = {
    MEDIA: ["team:media"],
    CATALOGUE: ["team:catalogue"],
    EVENTS: ["team:data-platform"],
    WAREHOUSE: ["team:data-platform"],
    RECOMMENDER: ["team:recommendations"],
    DEMAND: ["team:demand"],
    EDGE: ["team:edge"],
    SERVING: ["team:playback"],
    OPS: ["team:data-platform"],
}

POOL_WAREHOUSE_WRITE = "warehouse_write"
POOL_ENCODE = "encode"
