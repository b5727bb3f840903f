"""The ``chatml`` protocol as a Jinja chat template, for servers of exported models.

What it renders from a conversation is the text that the model was trained on (tested). With
``tools=`` the system message is the protocol's own, which describes ``answer`` too.
"""

import json

from medr_jax.tokens import chatml

_TEMPLATE = """\
{%- if tools %}
{%- if messages[0].role == 'system' %}
{{- raise_exception('with tools, the system message is the one of training: leave yours out') }}
{%- endif %}
{{- START + 'system\\n' + INTRODUCTION }}
{%- for tool in tools if (tool.function or tool).name != ANSWER_NAME %}
{{- (tool if tool.function else {'type': 'function', 'function': tool}) | tojson + '\\n' }}
{%- endfor %}
{{- ANSWER_TOOL + HOW_TO_CALL + END + '\\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'tool' %}
{%- if loop.first or messages[loop.index0 - 1].role != 'tool' %}{{- START + 'user' }}{%- endif %}
{{- '\\n<tool_response>\\n' + message.content + '\\n</tool_response>' }}
{%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{- END + '\\n' }}{%- endif %}
{%- elif message.role == 'assistant' and message.tool_calls %}
{{- START + 'assistant\\n' }}
{%- set thought = (message.content or '') | trim %}
{{- thought + '\\n' if thought else '' }}
{%- for called in message.tool_calls %}
{%- set call = called.function or called %}
{%- set given = call.arguments %}
{{- '' if loop.first else '\\n' }}
{{- CALL + '\\n{"name": ' + call.name | tojson + ', "arguments": ' }}
{{- given if given is string else given | tojson }}
{{- '}\\n' + CALL_END }}
{%- endfor %}
{{- END + '\\n' }}
{%- else %}
{{- START + message.role + '\\n' + message.content + END + '\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{{- START + 'assistant\\n' }}
{%- endif %}
"""


def chat_template() -> str:
    """The template, its constants written out at the top."""
    constants = {
        "START": chatml.START,
        "END": chatml.END,
        "CALL": chatml.CALL,
        "CALL_END": chatml.CALL_END,
        "ANSWER_NAME": chatml.ANSWER,
        "INTRODUCTION": chatml.INTRODUCTION,
        "ANSWER_TOOL": chatml.function_line(chatml.ANSWER_SCHEMA),
        "HOW_TO_CALL": f"{chatml.HOW_TO_CALL}{chatml.CALL}{chatml.CALL_SHAPE}{chatml.CALL_END}",
    }
    written = [
        # A JSON string is a Jinja string too.
        f"{{%- set {name} = {json.dumps(value, ensure_ascii=False)} %}}\n"
        for name, value in constants.items()
    ]
    return "".join(written) + _TEMPLATE
