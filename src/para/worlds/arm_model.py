"""The `tabletop` world's arm as MJCF: seven joints, a hand with two fingers, and the actuators. Geometry: `arm`."""

from __future__ import annotations

from typing import NamedTuple

from para.worlds import arm

ARM_JOINTS = tuple(f"joint{i}" for i in range(1, 8))
FINGER_JOINTS = ("finger_left", "finger_right")
EE_SITE = "ee"

FINGER_FORCE = 20.0
"""Newtons per finger, at most."""

FINGER_DAMPING = 60.0
"""N s / m: a finger closes at about FINGER_FORCE / FINGER_DAMPING = 0.33 m/s, so 4 cm take about one stored frame."""

PAD_ROD_RADIUS = 0.005


class Drive(NamedTuple):
    """How the seven joints are driven in physics: rotor inertia, and stiffness and damping of position actuators."""

    armature: float
    stiffness: float
    damping: float


TELEPORT_DRIVE = Drive(armature=1e4, stiffness=0.0, damping=0.0)
"""The servo writes the joints before each step; so much rotor inertia that no contact moves them within one."""

CONTROLLER_DRIVE = Drive(armature=0.1, stiffness=4000.0, damping=200.0)
"""Stiff joint position control with gravity compensated; lags the moving target by a few millimetres."""


def shell(kind: str, size: str, extra: str) -> str:
    return f'<geom class="shell" type="{kind}" size="{size}" {extra}/>'


def arm_body(drive: Drive) -> str:
    """The <body> of the arm, standing on the table at `arm.BASE_XY`."""
    x, y = arm.BASE_XY
    h, l1, l2, a = arm.SHOULDER_HEIGHT, arm.UPPER_ARM, arm.FOREARM, arm.WRIST_OFFSET
    joint = f'armature="{drive.armature}"'
    white, dark = 'material="arm_white"', 'material="arm_dark"'
    across = 'zaxis="0 1 0"'
    return f"""
    <body name="base" pos="{x} {y} 0">
      {shell("cylinder", "0.095 0.012", f'pos="0 0 0.012" {dark}')}
      {shell("cylinder", "0.075 0.055", f'pos="0 0 0.075" {white}')}
      <body name="link1" pos="0 0 0.13" gravcomp="1">
        <joint name="joint1" axis="0 0 1" {joint}/>
        {shell("cylinder", "0.077 0.008", f'pos="0 0 0.008" {dark}')}
        {shell("capsule", "0.066", f'fromto="0 0 0.03 0 0 {h - 0.13}" {white}')}
        <body name="link2" pos="0 0 {h - 0.13}" gravcomp="1">
          <joint name="joint2" axis="0 1 0" {joint}/>
          {shell("cylinder", "0.062 0.078", f"{across} {dark}")}
          {shell("cylinder", "0.050 0.084", f"{across} {white}")}
          {shell("capsule", "0.056", f'fromto="0 0 0 0 0 {l1 * 0.45}" {white}')}
          <body name="link3" pos="0 0 {l1 * 0.5}" gravcomp="1">
            <joint name="joint3" axis="0 0 1" {joint}/>
            {shell("cylinder", "0.0575 0.007", f"{dark}")}
            {shell("capsule", "0.052", f'fromto="0 0 0.01 0 0 {l1 * 0.5}" {white}')}
            <body name="link4" pos="0 0 {l1 * 0.5}" gravcomp="1">
              <joint name="joint4" axis="0 1 0" {joint}/>
              {shell("cylinder", "0.057 0.068", f"{across} {dark}")}
              {shell("cylinder", "0.045 0.074", f"{across} {white}")}
              {shell("capsule", "0.049", f'fromto="0 0 0 0 0 {l2 * 0.5}" {white}')}
              <body name="link5" pos="0 0 {l2 * 0.55}" gravcomp="1">
                <joint name="joint5" axis="0 0 1" {joint}/>
                {shell("cylinder", "0.050 0.007", f"{dark}")}
                {shell("capsule", "0.044", f'fromto="0 0 0.01 0 0 {l2 * 0.45}" {white}')}
                <body name="link6" pos="0 0 {l2 * 0.45}" gravcomp="1">
                  <joint name="joint6" axis="0 1 0" {joint}/>
                  {shell("cylinder", "0.048 0.058", f"{across} {dark}")}
                  {shell("cylinder", "0.038 0.063", f"{across} {white}")}
                  {shell("capsule", "0.042", f'fromto="0 0 0 {-a} 0 0" {white}')}
                  <body name="link7" pos="{-a} 0 0" gravcomp="1">
                    <joint name="joint7" axis="0 0 1" {joint}/>
                    {_hand()}
                  </body>
                </body>
              </body>
            </body>
          </body>
        </body>
      </body>
    </body>"""


def _hand() -> str:
    tip, pad = arm.TOOL_LENGTH, arm.PAD_HALF_HEIGHT
    palm = tip - 0.085  # height of the palm's middle below the wrist, metres
    return f"""
    {shell("cylinder", "0.040 0.030", 'pos="0 0 0.055" material="arm_white"')}
    {shell("cylinder", "0.041 0.006", 'pos="0 0 0.088" material="arm_dark"')}
    {shell("box", "0.026 0.086 0.024", f'pos="0 0 {palm - 0.01}" material="arm_white"')}
    {shell("box", "0.0265 0.0865 0.006", f'pos="0 0 {palm + 0.016}" material="arm_dark"')}
    <geom class="contact" name="palm" type="box" size="0.026 0.086 0.032" pos="0 0 {palm - 0.01}"/>
    <site name="{EE_SITE}" pos="0 0 {tip}" group="5"/>
    {_finger("left", 1, tip, pad)}
    {_finger("right", -1, tip, pad)}"""


def _finger(side: str, sign: int, tip: float, pad: float) -> str:
    """A finger whose pad's inner face is at y = sign x joint position."""
    return f"""
    <body name="finger_{side}" pos="0 0 {tip}" gravcomp="1">
      <joint name="finger_{side}" type="slide" axis="0 {sign} 0" range="0 {arm.FINGER_TRAVEL}" limited="true"
        damping="{FINGER_DAMPING}" armature="0.1"/>
      <geom class="visual" type="box" size="0.009 0.008 0.026" pos="0 {sign * 0.013} -0.036" material="arm_dark"/>
      <geom class="visual" type="box" size="0.010 0.0055 0.024" pos="0 {sign * 0.0055} {pad - 0.024}"
        material="finger"/>
      {pad_rods(side, sign, pad)}
      <geom class="contact" name="shank_{side}" type="box" size="0.009 0.007 0.018" pos="0 {sign * 0.012} -0.030"/>
    </body>"""


def pad_rods(side: str, sign: int, pad: float) -> str:
    """Two upright rods. A flat pad would wedge its corners between the facets of the bowl's wall, and not let go."""
    end = pad - PAD_ROD_RADIUS
    return "".join(
        f'<geom class="pad" name="pad_{side}{k}" type="capsule" size="{PAD_ROD_RADIUS}" '
        f'fromto="{x} {sign * PAD_ROD_RADIUS} {-end} {x} {sign * PAD_ROD_RADIUS} {end}"/>'
        for k, x in enumerate((-0.007, 0.007))
    )


def arm_defaults() -> str:
    """The <default> classes that `arm_body` uses: what is seen (group 2) and what touches (group 3)."""
    return """
    <default class="visual"><geom group="2" contype="0" conaffinity="0" mass="0.02"/></default>
    <default class="shell"><geom group="2" contype="0" conaffinity="0" mass="0.4"/></default>
    <default class="contact">
      <geom group="3" contype="0" conaffinity="1" mass="0.02" friction="0.6 0.005 0.0001"/>
    </default>
    <default class="pad">
      <geom group="3" contype="0" conaffinity="1" mass="0.02" condim="4" friction="1.2 0.02 0.0001"
        solimp="0.95 0.99 0.001" solref="0.01 1"/>
    </default>"""


def arm_actuators(drive: Drive, arm_joints: tuple[str, ...] = ARM_JOINTS) -> str:
    """The children of <actuator> and the coupling of the fingers: position targets of arm and fingers, arm first."""
    joints = "".join(
        f'<position name="{name}" joint="{name}" kp="{drive.stiffness}" kv="{drive.damping}"/>' for name in arm_joints
    )
    fingers = "".join(
        f'<position name="{name}" joint="{name}" kp="3000" forcerange="{-FINGER_FORCE} {FINGER_FORCE}"/>'
        for name in FINGER_JOINTS
    )
    return f"""
    <equality><joint joint1="finger_left" joint2="finger_right" solref="0.005 1"/></equality>
    <actuator>{joints}{fingers}</actuator>"""
