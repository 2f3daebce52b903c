"""A second arm of the `tabletop` world: five joints, as an SO-100, made of printed blocks and servo boxes.

Base pan, shoulder lift, elbow flex, wrist flex, wrist roll. It stands elsewhere and lower than the seven-joint arm, its
links are longer and angular, and its gripper has a broad jaw and a narrow one: the same task looks different. It starts
elsewhere, keeps farther from the table and is slower (`HABITS`): the end effector's path is another one, too. The real
SO-100 reaches 0.4 m; this one has its shape at the size that this table needs. Fingertips, travel and force are as in
`arm_model`, so that what differs between the arms is how they look and move, and not how well they hold.
"""

from __future__ import annotations

import numpy as np

from para.worlds import arm
from para.worlds.arm_model import EE_SITE, FINGER_DAMPING, Drive, pad_rods, shell

PROPORTIONS = arm.Proportions(
    base_xy=(-0.52, 0.20), shoulder_height=0.24, upper_arm=0.54, forearm=0.52, wrist_offset=0.0, tool_length=0.20
)
"""Metres. It stands to the right of the table's middle, seen from the camera."""

HABITS = arm.Habits(home=(-0.16, 0.16, 0.30), hover_height=0.21, carry_height=0.16, retreat_height=0.26, max_step=0.032)

JOINTS = ("pan", "lift", "elbow", "wrist", "roll")

MATERIALS = """
    <material name="printed" rgba="0.16 0.36 0.66 1" specular="0.1" shininess="0.1"/>
    <material name="servo" rgba="0.07 0.07 0.08 1" specular="0.3" shininess="0.3"/>
    <material name="jaw" rgba="0.55 0.58 0.60 1" specular="0.1" shininess="0.1"/>"""


def joint_angles(p_world: np.ndarray) -> np.ndarray:
    """The five joint angles that put the end effector at points, tool down, fingers opening along world y.

    Args:
        p_world: (N, 3) points that `arm.clamp_to_reach` leaves alone with these proportions, metres.

    Returns:
        (N, 5) radians.
    """
    yaw, shoulder, elbow, wrist = arm.bending_angles(p_world, PROPORTIONS)
    return np.stack([yaw, shoulder, elbow, wrist, yaw], axis=-1)


def arm_body(drive: Drive) -> str:
    """The <body> of the arm, standing on the table."""
    (x, y), h, l1, l2 = PROPORTIONS[:4]
    joint = f'armature="{drive.armature}"'
    blue, black = 'material="printed"', 'material="servo"'
    half, middle, fore_half, fore_middle = l1 / 2, l1 / 2, (l2 - 0.06) / 2, l2 / 2
    return f"""
    <body name="base" pos="{x} {y} 0">
      {shell("box", "0.085 0.070 0.012", f'pos="0 0 0.012" {blue}')}
      {shell("box", "0.055 0.055 0.045", f'pos="0 0 0.069" {black}')}
      <body name="turret" pos="0 0 0.114" gravcomp="1">
        <joint name="pan" axis="0 0 1" {joint}/>
        {shell("cylinder", "0.060 0.010", f'pos="0 0 0.010" {blue}')}
        {shell("box", "0.040 0.012 0.075", f'pos="0 0.056 0.085" {blue}')}
        {shell("box", "0.040 0.012 0.075", f'pos="0 -0.056 0.085" {blue}')}
        <body name="upper_arm" pos="0 0 {h - 0.114}" gravcomp="1">
          <joint name="lift" axis="0 1 0" {joint}/>
          {shell("box", "0.034 0.044 0.048", f'pos="0 0 0.01" {black}')}
          {shell("box", f"0.026 0.010 {half}", f'pos="0 0.034 {middle}" {blue}')}
          {shell("box", f"0.026 0.010 {half}", f'pos="0 -0.034 {middle}" {blue}')}
          {shell("box", "0.024 0.034 0.020", f'pos="0 0 {middle}" {blue}')}
          <body name="forearm" pos="0 0 {l1}" gravcomp="1">
            <joint name="elbow" axis="0 1 0" {joint}/>
            {shell("box", "0.034 0.042 0.044", f"{black}")}
            {shell("box", f"0.030 0.022 {fore_half}", f'pos="0 0 {fore_middle}" {blue}')}
            {shell("box", f"0.012 0.034 {fore_half}", f'pos="0.020 0 {fore_middle}" {blue}')}
            <body name="wrist" pos="0 0 {l2}" gravcomp="1">
              <joint name="wrist" axis="0 1 0" {joint}/>
              {shell("box", "0.030 0.038 0.034", f"{black}")}
              <body name="hand" gravcomp="1">
                <joint name="roll" axis="0 0 1" {joint}/>
                {_hand()}
              </body>
            </body>
          </body>
        </body>
      </body>
    </body>"""


def _hand() -> str:
    tip = PROPORTIONS.tool_length
    palm = tip - 0.085
    return f"""
    {shell("box", "0.030 0.030 0.020", 'pos="0 0 0.050" material="printed"')}
    {shell("box", "0.028 0.052 0.022", f'pos="0 -0.012 {palm - 0.012}" material="servo"')}
    {shell("box", "0.034 0.012 0.034", f'pos="0 0.052 {palm - 0.010}" material="printed"')}
    <geom class="contact" name="palm" type="box" size="0.026 0.086 0.028" pos="0 0 {palm - 0.014}"/>
    <site name="{EE_SITE}" pos="0 0 {tip}" group="5"/>
    {_jaw("left", 1, tip, width=0.019, colour="printed")}
    {_jaw("right", -1, tip, width=0.009, colour="jaw")}"""


def _jaw(side: str, sign: int, tip: float, *, width: float, colour: str) -> str:
    """A jaw whose inner face is at y = sign x joint position; what touches is as in `arm_model`."""
    pad = arm.PAD_HALF_HEIGHT
    return f"""
    <body name="finger_{side}" pos="0 0 {tip}" gravcomp="1">
      <joint name="finger_{side}" type="slide" axis="0 {sign} 0" range="0 {arm.FINGER_TRAVEL}" limited="true"
        damping="{FINGER_DAMPING}" armature="0.1"/>
      <geom class="visual" type="box" size="{width} 0.007 0.034" pos="0 {sign * 0.015} -0.036" material="{colour}"/>
      <geom class="visual" type="box" size="{width} 0.005 0.018" pos="0 {sign * 0.005} {pad - 0.018}"
        material="{colour}"/>
      {pad_rods(side, sign, pad)}
      <geom class="contact" name="shank_{side}" type="box" size="0.009 0.007 0.018" pos="0 {sign * 0.012} -0.030"/>
    </body>"""
