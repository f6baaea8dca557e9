"""What a pool has, as JSON: by Ceph's own client for Python, in one process for all of it. Arguments: the configuration, the pool."""

import json
import sys

import rados
import rbd

NAMESPACES = {rbd.RBD_SNAP_NAMESPACE_TYPE_USER: "user", rbd.RBD_SNAP_NAMESPACE_TYPE_TRASH: "trash"}


def look(io, name):
    with rbd.Image(io, name, read_only=True) as image:
        try:
            spec = image.get_parent_image_spec()
            parent = {"id": image.parent_id(), "image": spec["image_name"], "snapshot": spec["snap_name"]}
        except rbd.ImageNotFound:
            parent = None
        return {
            "image": name,
            "sizeBytes": image.size(),
            "parent": parent,
            "snapshots": [{"name": each["name"], "type": NAMESPACES.get(each["namespace"], "other")} for each in image.list_snaps()],
            "isWatched": len(list(image.watchers_list())) > 0,
            "isLocked": len(image.list_lockers()) > 0,
        }


with rados.Rados(conffile=sys.argv[1]) as cluster, cluster.open_ioctx(sys.argv[2]) as io:
    images = [look(io, name) for name in sorted(rbd.RBD().list(io))]
    trash = [{"id": each["id"], "name": each["name"]} for each in rbd.RBD().trash_list(io)]
    print(json.dumps({"images": images, "trash": trash}))
