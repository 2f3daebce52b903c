"""Cameras, pixels and lifting: pure functions of tensors that know nothing of robots or networks.

To add a function, put it in the file of its idea and list it here.
"""

from para.geometry.camera import Camera, look_at, pixel_rays, project
from para.geometry.distortion import distort_points, undistort_image, undistort_points
from para.geometry.lifting import lift_to_depth_masked, lift_to_height, lift_to_height_masked
from para.geometry.perturb import CameraError, draw_camera_error, perturb_camera
from para.geometry.picture_frame import from_picture_frame, to_picture_frame
from para.geometry.virtual_views import camera_towards, plane_homography, seen_from, tilted_camera
from para.geometry.warps import crop, random_affine, resize, warp_affine

__all__ = [
    "Camera",
    "CameraError",
    "camera_towards",
    "crop",
    "distort_points",
    "draw_camera_error",
    "from_picture_frame",
    "lift_to_depth_masked",
    "lift_to_height",
    "lift_to_height_masked",
    "look_at",
    "perturb_camera",
    "pixel_rays",
    "plane_homography",
    "project",
    "random_affine",
    "resize",
    "seen_from",
    "tilted_camera",
    "to_picture_frame",
    "undistort_image",
    "undistort_points",
    "warp_affine",
]
