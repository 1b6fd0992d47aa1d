from django.db import migrations, models
from django.db.models import F


def keep_in_use(apps, schema_editor):
    keys = apps.get_model("django_magiclink", "ApiKey").objects
    keys.using(schema_editor.connection.alias).update(activated=F("created"))


def forget_staged(apps, schema_editor):
    # They would be in use without being so.
    keys = apps.get_model("django_magiclink", "ApiKey").objects
    keys.using(schema_editor.connection.alias).filter(activated=None).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('django_magiclink', '0002_limits_and_codes'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='apikey',
            options={'permissions': [('regenerate_apikey', 'Can replace the key of an endpoint')], 'verbose_name': 'API key', 'verbose_name_plural': 'API keys'},
        ),
        migrations.AlterModelOptions(
            name='approval',
            options={'ordering': ['-created'], 'permissions': [('revoke_approval', 'Can end the approvals of a user'), ('export_approval', 'Can export approvals'), ('view_dashboard', 'Can see the dashboard')], 'verbose_name': 'approval', 'verbose_name_plural': 'approvals'},
        ),
        migrations.RemoveConstraint(
            model_name='apikey',
            name='magiclink_one_active_key',
        ),
        migrations.AddField(
            model_name='apikey',
            name='activated',
            field=models.DateTimeField(editable=False, null=True, verbose_name='in use since'),
        ),
        migrations.RunPython(keep_in_use, forget_staged),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.UniqueConstraint(condition=models.Q(('activated__isnull', False), ('retired', None)), fields=('endpoint',), name='magiclink_one_active_key'),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.UniqueConstraint(condition=models.Q(('activated', None), ('retired', None)), fields=('endpoint',), name='magiclink_one_staged_key'),
        ),
    ]
