"""What CloudFormation would refuse or SAM would misunderstand, found on the translated template."""

import json
from graphlib import TopologicalSorter

from cfnlint.api import lint

from tests.template.stack import FUNCTIONS, of_type, references, translated, written


def test_lint_finds_nothing_in_the_translated_template():
    found = [f"{one.rule.id} {one.message}" for one in lint(json.dumps(translated()))]
    # LayerBuild is used by the layers' metadata, which SAM reads when it builds and leaves out when it translates.
    assert found == ["W7001 Mapping 'LayerBuild' is defined but not used"]


def test_resources_are_acyclic_after_translation():
    resources = translated()["Resources"]
    graph = {}
    for name, resource in resources.items():
        named = resource.get("DependsOn", [])
        wanted = set(references(resource.get("Properties", {}))) | ({named} if isinstance(named, str) else set(named))
        graph[name] = wanted & resources.keys()
    order = list(TopologicalSorter(graph).static_order())
    assert "SourceBucketPolicy" in order
    assert order.index("IngestFunction") < order.index("SourceBucket"), "notifications depend on their function"


def test_every_reference_has_a_target():
    template = translated()
    known = template["Resources"].keys() | template["Parameters"].keys() | template["Conditions"].keys()
    asked = set(references(template["Resources"])) | set(references(template["Outputs"]))
    assert {name for name in asked if not name.startswith("AWS")} <= known


def test_every_function_has_its_own_role_and_sam_adds_none():
    assert set(of_type("AWS::IAM::Role")) == {f"{name}Role" for name in FUNCTIONS}
    assert set(of_type("AWS::Lambda::Function")) == {f"{name}Function" for name in FUNCTIONS}
    for name in FUNCTIONS:
        assert of_type("AWS::Lambda::Function")[f"{name}Function"]["Role"] == {"Fn::GetAtt": [f"{name}Role", "Arn"]}
        assert "ManagedPolicyArns" not in of_type("AWS::IAM::Role")[f"{name}Role"]


def test_every_parameter_is_used():
    template = written()
    used = (
        set(references(template["Globals"])) | set(references(template["Resources"])) | set(references(template["Conditions"]))
    )
    used |= {name for one in template["Resources"].values() for name in references(one.get("Metadata", {}))}
    assert set(template["Parameters"]) <= used


def test_layers_are_built_for_the_runtime_and_architecture_that_the_functions_have():
    common = written()["Globals"]["Function"]
    binary = {"Fn::FindInMap": ["LayerBuild", common["Runtime"], "BinaryWheels"]}
    for name, method in {"SharedLayer": common["Runtime"], "ImageLayer": binary, "VideoLayer": binary}.items():
        layer = written()["Resources"][name]
        assert layer["Metadata"] == {"BuildMethod": method, "BuildArchitecture": common["Architectures"][0]}
        assert layer["Properties"]["CompatibleRuntimes"] == [common["Runtime"]]
        assert layer["Properties"]["CompatibleArchitectures"] == common["Architectures"]
    methods = written()["Mappings"]["LayerBuild"]
    assert set(methods) == set(written()["Parameters"]["PythonRuntime"]["AllowedValues"])
    assert all(method["BinaryWheels"] in {runtime, "makefile"} for runtime, method in methods.items())
